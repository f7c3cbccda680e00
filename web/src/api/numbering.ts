/** Which numbered messages are news. Numbers rise over all jobs of a server, and a connection tells them in order. */

export interface Numbering {
  /** The last number seen; null before the first. */
  readonly last: number | null;
  /** Whether this connection has sent a numbered message. */
  readonly isBegun: boolean;
}

export const UNNUMBERED: Numbering = { last: null, isBegun: false };

/** A new connection, which was asked for what came after `last`. */
export function reconnected(numbering: Numbering): Numbering {
  return { ...numbering, isBegun: false };
}

/**
 * After a message; null when it has been seen. A server never starts with what we have, so a first number that is not
 * higher means that its records began anew.
 */
export function heard(numbering: Numbering, number: number): Numbering | null {
  if (numbering.isBegun && numbering.last !== null && number <= numbering.last) return null;
  return { last: number, isBegun: true };
}
