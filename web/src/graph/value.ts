/**
 * Plain JSON, with one difference to what browsers make of it: whole numbers that a double cannot hold are bigints.
 * Seeds have 64 bits, and "the same seed" must mean the same seed.
 */

export type Value = string | number | bigint | boolean | null | readonly Value[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two values are the same JSON. A bigint equals the number of the same value. */
export function sameValue(one: Value, other: Value): boolean {
  if (one === other) return true;
  if (typeof one === "bigint" || typeof other === "bigint") return isNumeric(one) && isNumeric(other) && one == other;
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((each, i) => sameValue(each, other[i]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => {
      const [left, right] = [one[key], other[key]];
      return left !== undefined && right !== undefined && sameValue(left, right);
    })
  );
}

export function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
