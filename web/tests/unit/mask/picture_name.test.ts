import { describe, expect, it } from "vitest";

import { nameOf, pictureNamed } from "@/state/picture_name";

describe("a loaded picture's name", () => {
  it("has a folder and a place, or is in the input folder", () => {
    expect(pictureNamed("a.png")).toEqual({ filename: "a.png", subfolder: "", type: "input" });
    expect(pictureNamed("x/y z/a [b].png [output]")).toEqual({
      filename: "a [b].png",
      subfolder: "x/y z",
      type: "output",
    });
    expect(pictureNamed("clipspace/m.png [input]")).toEqual({
      filename: "m.png",
      subfolder: "clipspace",
      type: "input",
    });
  });

  it("is none when there is no file in it", () => {
    for (const value of ["", "folder/", 5, null, undefined, ["a.png"]]) expect(pictureNamed(value)).toBeNull();
  });

  it("is written as it is read", () => {
    for (const name of ["a.png [input]", "clipspace/m.png [input]", "a/b/c.webp [temp]"]) {
      const picture = pictureNamed(name);
      expect(picture === null ? null : nameOf(picture)).toBe(name);
    }
  });
});
