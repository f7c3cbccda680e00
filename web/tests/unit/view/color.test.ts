import { expect, test } from "vitest";

import { drawable } from "@/view/color";

test.each(["#a1b2c3", "#FFF", "#12345678", "tomato", "rgb(1 2 3 / 50%)", "hsla(120deg, 10%, 20%, .5)"])(
  "%s is a colour",
  (color) => expect(drawable(color)).toBe(color),
);

test.each([
  null,
  "",
  "url(https://example.org/a.png)",
  "var(--accent)",
  "red; x: y",
  "#12",
  "rgb(url(a))",
  "a".repeat(99),
])("%s is none, and the theme's is taken", (color) => expect(drawable(color)).toBeNull());
