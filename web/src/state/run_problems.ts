/** What the server or our own check finds wrong, as problems in the person's language. Details stay as they came. */

import type { Failure } from "@/api/failure";
import { isObject } from "@/json/exact";
import type { ExecutionError, NodeProblems, PromptProblem } from "@/api/wire";
import { executionId } from "@/graph/document";
import type { Finding } from "@/graph/rules";
import { lookUp, t } from "@/texts/index";

import { unknownTypeWords } from "./plugins";
import type { Problem } from "./problems";

export function problemOfFinding({ path, node, input, reason }: Finding): Problem {
  return {
    node: executionId(path, node),
    input,
    message:
      reason.code === "reason.unknown_type"
        ? unknownTypeWords(String(reason.words["type"]))
        : lookUp(reason.code, reason.words),
    detail: "",
    from: "check",
  };
}

/** What the server refused, node by node; where it names none, one problem about the whole workflow. */
export function problemsOfRefusal(failure: Failure): Problem[] {
  const body = isObject(failure.body) ? failure.body : {};
  const nodes = problemsOfNodes(body["node_errors"]);
  if (nodes.length > 0) return nodes;
  const error = isObject(body["error"]) ? (body["error"] as unknown as PromptProblem) : null;
  if (error === null) return [{ node: "", input: null, message: failure.message, detail: "", from: "server" }];
  return [problemOf("", error, textAt(error.extra_info, "class_type") ?? "")];
}

/** `node_errors` of an answer to POST /prompt. */
export function problemsOfNodes(nodeErrors: unknown): Problem[] {
  if (!isObject(nodeErrors)) return [];
  return Object.entries(nodeErrors).flatMap(([node, each]) => {
    const { errors, class_type } = each as unknown as NodeProblems;
    return Array.isArray(errors) ? errors.map((error: PromptProblem) => problemOf(node, error, class_type)) : [];
  });
}

/** A node that failed, or a worker that went down with it. */
export function problemOfRun(error: ExecutionError): Problem {
  const cause = error.cause === undefined ? null : known(`running.cause.${error.cause}`, {});
  const said = error.exception_message.trim();
  const trace = error.traceback.join("").trim();
  return {
    node: error.node_id ?? "",
    input: null,
    message: cause ?? (said || error.exception_type),
    detail: [cause === null ? "" : said, error.exception_type, trace].filter((each) => each !== "").join("\n"),
    from: "run",
  };
}

function problemOf(node: string, error: PromptProblem, classType: string): Problem {
  const info = error.extra_info ?? {};
  const input = textAt(info, "input_name");
  const said = error.details.replace(`${input} - `, ""); // the words of the node's author, where it checks values itself
  const words = { ...wordsOf(info, input ?? "", textAt(info, "class_type") ?? classType), said };
  const place = node || (textAt(info, "node_id") ?? "");
  const message = known(`running.refused.${error.type}`, words) ?? error.message;
  return {
    node: place,
    input,
    message,
    detail: [error.message, error.details].filter(Boolean).join(": "),
    from: "server",
  };
}

/** What the sentences name: the input, its limits, what it was given. */
function wordsOf(info: PromptProblem["extra_info"], input: string, classType: string): Record<string, string> {
  const config = info["input_config"];
  const options: unknown = Array.isArray(config) ? config[1] : null;
  const limits = isObject(options) ? options : {};
  const { min, max } = limits;
  return { input, value: shown(info["received_value"]), min: shown(min), max: shown(max), type: classType };
}

/** The text of a key, unless there is none or it names something that we do not know. */
function known(key: string, words: Record<string, string>): string | null {
  const text = lookUp(key);
  if (text === key) return null;
  const names = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  return names.every((name) => (words[name] ?? "") !== "") ? lookUp(key, words) : null;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value as string | number | bigint | boolean);
}

function textAt(object: Readonly<Record<string, unknown>> | undefined, name: string): string | null {
  const value = object?.[name];
  return typeof value === "string" ? value : null;
}

/** One sentence for a request that did not work. */
export function sentenceOf(failure: Failure): string {
  switch (failure.kind) {
    case "offline":
      return t("running.offline");
    case "noSpace":
      return t("running.no_space");
    case "tooLarge":
      return t("running.too_large");
    case "notReady":
      return t("running.not_ready");
    default:
      return t("running.failed");
  }
}
