/**
 * Native reroutes: points a wire bends at, kept beside the links in a file, and floating links that end at one.
 *
 * They change nothing in what runs. We keep them for other editors as long as a link passes through them.
 */

import type { Link } from "@/graph/document";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import { identifier, objects } from "./file_graph";

/** The last waypoint before each link's end, which files of version 0.4 keep in `extra.linkExtensions`. */
export function parentsIn(extra: Value | undefined): Map<string, Value> {
  const listed = isObject(extra) ? objects(extra["linkExtensions"]) : [];
  return new Map(listed.map((each) => [identifier(each["id"]) ?? "", each["parentId"] ?? null]));
}

/** Waypoints that a link still passes through, those before them included. */
export function livingReroutes(reroutes: Value, links: Iterable<Link>, floating: Value | undefined): Value {
  if (!Array.isArray(reroutes)) return reroutes;
  const listed = objects(reroutes as readonly Value[]);
  const before = new Map(listed.map((each) => [identifier(each["id"]), identifier(each["parentId"])]));
  const users = new Map<string, Set<string>>();
  const follow = (start: Value | undefined, link: string | null): void => {
    const seen = new Set<string>();
    for (let id = identifier(start); id !== null && !seen.has(id); id = before.get(id) ?? null) {
      seen.add(id);
      const known = users.get(id) ?? new Set();
      if (link !== null) known.add(link);
      users.set(id, known);
    }
  };
  for (const link of links) follow(link.rest["parentId"], link.id);
  for (const each of objects(floating)) follow(each["parentId"], null);
  return listed.flatMap((each) => {
    const mine = users.get(identifier(each["id"]) ?? "");
    return mine === undefined ? [] : [withLivingLinks(each, mine)];
  });
}

function withLivingLinks(reroute: JsonObject, links: ReadonlySet<string>): JsonObject {
  const listed = reroute["linkIds"];
  if (!Array.isArray(listed)) return reroute;
  return { ...reroute, linkIds: (listed as readonly Value[]).filter((id) => links.has(identifier(id) ?? "")) };
}

/** Floating links whose one end is at a node that is there. */
export function livingFloating(floating: Value, nodes: ReadonlyMap<string, unknown>): Value {
  if (!Array.isArray(floating)) return floating;
  return objects(floating as readonly Value[]).filter((each) =>
    [each["origin_id"], each["target_id"]].some((end) => nodes.has(identifier(end) ?? "")),
  );
}
