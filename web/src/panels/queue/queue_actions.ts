/** What one can do with a job: look at its pictures, open the workflow it was made from, run it again. */

import { job as askJob, queuePrompt, submissionBody } from "@/api/client";
import { asFailure } from "@/api/failure";
import { isObject, type Json, stringify } from "@/json/exact";
import type { JobDetail } from "@/api/wire";
import { refreshActive } from "@/state/active_jobs";
import { openPicture } from "@/state/lightbox";
import { busyWith, openContent } from "@/state/opening";
import type { Job, Picture } from "@/state/run";
import { readOutput } from "@/state/run_output";
import { sentenceOf } from "@/state/run_problems";
import { clientId, expectNews } from "@/state/session";
import { toast } from "@/state/toasts";
import { t } from "@/texts/index";

/** Opens what a job was made from as a new tab: its workflow as it was laid out, else its prompt. */
export async function openWorkflowOfJob(job: Job, name: string): Promise<void> {
  const detail = await detailOf(job, name);
  if (detail !== null) openContent(stringify(workflowOf(detail) ?? detail.workflow.prompt), name);
}

/** The same prompt once more, seeds and all. */
export async function runAgain(job: Job, name: string): Promise<void> {
  const detail = await detailOf(job, name);
  if (detail === null) return;
  const prompt = detail.workflow.prompt as unknown as Json;
  const workflow = workflowOf(detail) ?? null;
  const ids = { promptId: crypto.randomUUID(), clientId: clientId() };
  try {
    await queuePrompt(submissionBody({ ...ids, prompt, workflow, targets: null, number: null, front: false }));
    expectNews();
    void refreshActive();
    toast("success", t("history.queued", { name }));
  } catch (error) {
    const failure = asFailure(error);
    toast("error", sentenceOf(failure), { detail: failure.message });
  }
}

/** All its pictures over the whole window, beginning with the one that stands for it. */
export async function openPicturesOf(job: Job): Promise<void> {
  const detail = await detailOf(job, job.preview?.filename ?? job.id);
  if (detail === null) return;
  const pictures = Object.values(detail.outputs).flatMap((ui) => readOutput(ui).pictures);
  const shown = pictures.filter((each) => /\.(png|jpe?g|webp|gif|avif|bmp)$/i.test(each.filename));
  const first = shown.findIndex((each) => job.preview !== null && isSame(each, job.preview));
  if (shown.length > 0) openPicture(shown, Math.max(0, first));
  else if (job.preview !== null) openPicture([job.preview], 0);
}

async function detailOf(job: Job, name: string): Promise<JobDetail | null> {
  try {
    return await busyWith(name, 0, () => askJob(job.id));
  } catch (error) {
    const failure = asFailure(error);
    toast("error", failure.kind === "notFound" ? t("history.gone") : sentenceOf(failure));
    return null;
  }
}

function workflowOf(detail: JobDetail): Json | undefined {
  const workflow = detail.workflow.extra_data.extra_pnginfo?.workflow as Json | undefined;
  return isObject(workflow) ? workflow : undefined;
}

function isSame(one: Picture, other: Picture): boolean {
  return one.filename === other.filename && one.subfolder === other.subfolder && one.type === other.type;
}
