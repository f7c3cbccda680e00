/** How a function deep inside a conversion says that the whole of it cannot be done; never leaves this room. */

import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";

class Refusal extends Error {
  constructor(readonly reason: Reason) {
    super(reason.code);
  }
}

export function refuse(code: Reason["code"], words: Reason["words"] = {}): never {
  throw new Refusal(reason(code, words));
}

/** What `work` returns, or why it was refused. */
export function attempt<T>(work: () => T): Outcome<T> {
  try {
    return done(work());
  } catch (error) {
    if (error instanceof Refusal) return refused(error.reason);
    throw error;
  }
}
