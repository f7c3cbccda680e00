import { describe, expect, it } from "vitest";

import { recall, remember } from "@/state/keeping_tabs";

function store(text: string | null = null): Storage {
  const held = new Map(text === null ? [] : [["latentwire.tabs", text]]);
  return {
    getItem: (key: string) => held.get(key) ?? null,
    setItem: (key: string, value: string) => void held.set(key, value),
  } as unknown as Storage;
}

const OPEN = { tabs: [{ path: "workflows/a.json", name: "a", isTouched: true }], active: 0 };

describe("the list of open workflows", () => {
  it("is there again", () => {
    const [own, shared] = [store(), store()];
    remember(OPEN, [own, shared]);
    expect(recall([own, shared])).toEqual(OPEN);
    expect(recall([store(), shared])).toEqual(OPEN);
  });

  it("is this window's own before that of the window used last", () => {
    const own = { ...OPEN, active: -1 };
    expect(recall([store(JSON.stringify(own)), store(JSON.stringify(OPEN))])).toEqual(own);
  });

  it("is none where the editor never was, or where others wrote", () => {
    expect(recall([store()])).toBeNull();
    for (const text of ["{", "[]", '{"tabs":[{"path":1}],"active":0}', "null"])
      expect(recall([store(text)])).toBeNull();
  });
});
