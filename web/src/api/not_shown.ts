/** Pictures are loaded by the browser, which keeps to itself why one is not there: the server is asked then. */

import { asFailure, type Failure, failureOf } from "./failure";

/** Why a picture cannot be shown, asked when it could not; null: the server does answer it. */
export async function whyNotShown(address: string): Promise<Failure | null> {
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) return await failureOf(answer);
    await answer.body?.cancel();
    return null;
  } catch (error) {
    return asFailure(error);
  }
}
