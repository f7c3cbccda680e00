import { describe, expect, it } from "vitest";

import { commandFor, matches, type Pressed } from "@/panels/keys";

function press(code: string, key: string, held = ""): Pressed {
  return {
    code,
    key,
    ctrlKey: held.includes("C"),
    metaKey: held.includes("M"),
    shiftKey: held.includes("S"),
    altKey: held.includes("A"),
  };
}

describe("keys", () => {
  it("takes Ctrl and the command key for Mod", () => {
    expect(matches(press("KeyZ", "z", "C"), "Mod+KeyZ")).toBe(true);
    expect(matches(press("KeyZ", "z", "M"), "Mod+KeyZ")).toBe(true);
    expect(matches(press("KeyZ", "z"), "Mod+KeyZ")).toBe(false);
  });

  it("tells Mod+Z and Mod+Shift+Z apart", () => {
    expect(matches(press("KeyZ", "Z", "CS"), "Mod+KeyZ")).toBe(false);
    expect(matches(press("KeyZ", "Z", "CS"), "Mod+Shift+KeyZ")).toBe(true);
  });

  it("goes by the printed letter on a French keyboard, and by the place on a Russian one", () => {
    expect(matches(press("KeyW", "z", "C"), "Mod+KeyZ")).toBe(true);
    expect(matches(press("KeyZ", "w", "C"), "Mod+KeyZ")).toBe(false);
    expect(matches(press("KeyZ", "я", "C"), "Mod+KeyZ")).toBe(true);
  });

  it("goes by the place where Alt on a Mac prints another sign", () => {
    expect(matches(press("KeyC", "ç", "A"), "Alt+KeyC")).toBe(true);
  });

  it("finds a sign wherever the layout has it", () => {
    expect(matches(press("Slash", "?", "S"), "?")).toBe(true);
    expect(matches(press("Minus", "?", "S"), "?")).toBe(true);
    expect(matches(press("Slash", "?", "CS"), "?")).toBe(false);
    expect(matches(press("Equal", "+", "S"), "+")).toBe(true);
  });

  it("takes both Enter keys", () => {
    expect(matches(press("NumpadEnter", "Enter", "C"), "Mod+Enter")).toBe(true);
  });

  it("finds the command, and none for a modifier alone", () => {
    const commands = [{ keys: ["Mod+KeyA"] }, { keys: ["Delete", "Backspace"] }];
    expect(commandFor(press("Backspace", "Backspace"), commands)).toBe(commands[1]);
    expect(commandFor(press("ControlLeft", "Control", "C"), commands)).toBeNull();
  });
});
