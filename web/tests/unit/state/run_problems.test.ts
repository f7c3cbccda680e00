import { afterEach, describe, expect, it } from "vitest";

import { Failure } from "@/api/failure";
import type { ExecutionError } from "@/api/wire";
import { problemOfRun, problemsOfNodes, problemsOfRefusal, sentenceOf } from "@/state/run_problems";
import { setLanguage } from "@/texts/index";

afterEach(() => {
  setLanguage("en");
});

const info = { input_name: "width", input_config: ["INT", { min: 16, max: 8192 }], received_value: 99999 };
const tooBig = {
  type: "value_bigger_than_max",
  message: "Value 99999 bigger than max of 8192",
  details: "width",
  extra_info: info,
};
const nodeErrors = { "5": { errors: [tooBig], dependent_outputs: ["9"], class_type: "EmptyLatentImage" } };

describe("what the server refuses", () => {
  it("is shown at the very input, in words, with what the server said behind them", () => {
    expect(problemsOfNodes(nodeErrors)).toEqual([
      {
        node: "5",
        input: "width",
        message: "“width” is 99999, but must be at most 8192.",
        detail: "Value 99999 bigger than max of 8192: width",
        from: "server",
      },
    ]);
  });

  it("is said in the person's language", () => {
    setLanguage("zh");
    expect(problemsOfNodes(nodeErrors)[0]?.message).toBe("“width”的值为 99999，不能大于 8192。");
  });

  it("is in the server's own words where we have none, or do not know what ours would name", () => {
    const odd = { ...tooBig, type: "loop_too_deep", message: "Loop too deep" };
    const bare = { ...tooBig, extra_info: { input_name: "width" } };
    const errors = { "5": { errors: [odd, bare], dependent_outputs: [], class_type: "X" } };
    expect(problemsOfNodes(errors).map((each) => each.message)).toEqual(["Loop too deep", tooBig.message]);
  });

  it("is about the whole workflow, or the node that it names, where no node has errors", () => {
    const unknown = {
      type: "missing_node_type",
      message: "m",
      details: "",
      extra_info: { node_id: "7", class_type: "Foo" },
    };
    const failure = new Failure("refused", 400, "m", { error: unknown, node_errors: {} });
    expect(problemsOfRefusal(failure)).toMatchObject([
      { node: "7", message: "The server does not know the node type “Foo”." },
    ]);
    expect(problemsOfRefusal(new Failure("refused", 400, "words"))).toMatchObject([{ node: "", message: "words" }]);
  });

  it("has a sentence for every kind of failure", () => {
    const kinds = ["offline", "noSpace", "tooLarge", "notReady", "other"] as const;
    expect(new Set(kinds.map((kind) => sentenceOf(new Failure(kind, 0, "")))).size).toBe(kinds.length);
  });
});

describe("a node that failed", () => {
  const error: ExecutionError = {
    prompt_id: "p",
    node_id: "57:8",
    node_type: "X",
    executed: [],
    exception_message: "no file 'gone.png'\n",
    exception_type: "PathError",
    traceback: ["at a\n", "at b\n"],
    current_inputs: {},
    current_outputs: [],
    timestamp: 0,
  };

  it("says its own words, with the way there behind them", () => {
    expect(problemOfRun(error)).toEqual({
      node: "57:8",
      input: null,
      message: "no file 'gone.png'",
      detail: "PathError\nat a\nat b",
      from: "run",
    });
  });

  it("says why the worker went down where the node is not to blame", () => {
    expect(problemOfRun({ ...error, cause: "out_of_memory" })).toMatchObject({
      message: "There was not enough memory.",
    });
    expect(problemOfRun({ ...error, cause: "new_cause" })).toMatchObject({ message: "no file 'gone.png'" });
  });
});
