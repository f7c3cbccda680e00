/**
 * What a number field understands beside digits: + - * / % ** and brackets, "512*2". Whole numbers of any size stay
 * exact as long as only whole numbers come of them. Our own parser, because `eval` would run whatever was pasted.
 */

type Exact = number | bigint;

const TOKEN = /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(\*\*|[-+*/%^()]))/y;
const MAX_LENGTH = 200;
const MAX_EXPONENT = 1024n;

/** The value of an expression; null when it is none, or has no finite value. */
export function evaluate(text: string): Exact | null {
  const tokens = text.length > MAX_LENGTH ? null : tokensOf(text);
  if (tokens === null || tokens.length === 0) return null;
  const reader: Reader = { tokens, at: 0 };
  const value = sum(reader);
  if (value === null || reader.at < tokens.length) return null;
  return typeof value === "bigint" || Number.isFinite(value) ? value : null;
}

interface Reader {
  readonly tokens: readonly string[];
  at: number;
}

function tokensOf(text: string): readonly string[] | null {
  // People copy numbers from texts that use a real minus sign or a multiplication sign.
  const plain = text.replaceAll("−", "-").replaceAll("×", "*").trim();
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < plain.length) {
    const match = TOKEN.exec(plain);
    const token = match?.[1] ?? match?.[2];
    if (token === undefined) return null;
    tokens.push(token);
  }
  return tokens;
}

function take(reader: Reader, wanted: readonly string[]): string | null {
  const token = reader.tokens[reader.at];
  if (token === undefined || !wanted.includes(token)) return null;
  reader.at += 1;
  return token;
}

function sum(reader: Reader): Exact | null {
  return chain(reader, ["+", "-"], product);
}

function product(reader: Reader): Exact | null {
  return chain(reader, ["*", "/", "%"], signed);
}

function chain(reader: Reader, signs: readonly string[], part: (reader: Reader) => Exact | null): Exact | null {
  let value = part(reader);
  for (let sign = take(reader, signs); sign !== null && value !== null; sign = take(reader, signs)) {
    const next = part(reader);
    value = next === null ? null : apply(sign, value, next);
  }
  return value;
}

function signed(reader: Reader): Exact | null {
  const sign = take(reader, ["+", "-"]);
  if (sign === null) return power(reader);
  const value = signed(reader);
  return value === null || sign === "+" ? value : -value;
}

function power(reader: Reader): Exact | null {
  const base = atom(reader);
  if (base === null || take(reader, ["**", "^"]) === null) return base;
  const exponent = signed(reader);
  return exponent === null ? null : apply("**", base, exponent);
}

function atom(reader: Reader): Exact | null {
  if (take(reader, ["("]) !== null) {
    const value = sum(reader);
    return take(reader, [")"]) === null ? null : value;
  }
  const token = reader.tokens[reader.at] ?? "";
  if (!/^[\d.]/.test(token)) return null;
  reader.at += 1;
  return /^\d+$/.test(token) ? BigInt(token) : Number(token);
}

function apply(sign: string, one: Exact, other: Exact): Exact | null {
  if (typeof one === "bigint" && typeof other === "bigint") {
    const exact = applyWhole(sign, one, other);
    if (exact !== null) return exact;
  }
  return applyReal(sign, Number(one), Number(other));
}

/** null: it does not come out whole. */
function applyWhole(sign: string, one: bigint, other: bigint): bigint | null {
  switch (sign) {
    case "+":
      return one + other;
    case "-":
      return one - other;
    case "*":
      return one * other;
    case "/":
      return other !== 0n && one % other === 0n ? one / other : null;
    case "%":
      return other === 0n ? null : one % other;
    default:
      return isSmallPower(one, other) ? one ** other : null;
  }
}

/** So that 9**9**9 does not stop the page. */
function isSmallPower(base: bigint, exponent: bigint): boolean {
  return exponent >= 0n && exponent <= MAX_EXPONENT && base < 2n ** 64n && base > -(2n ** 64n);
}

function applyReal(sign: string, one: number, other: number): number {
  switch (sign) {
    case "+":
      return one + other;
    case "-":
      return one - other;
    case "*":
      return one * other;
    case "/":
      return one / other;
    case "%":
      return one % other;
    default:
      return one ** other;
  }
}
