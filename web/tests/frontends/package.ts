/**
 * ComfyUI's own web page, from PyPI, unpacked outside of the repository. It is GPL: it is served and driven here as its
 * users do it, and never bundled or imported.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { python } from "../browser/server";

const PACKAGE = "comfyui-frontend-package";
const PATIENCE = 300_000;

/** What pip says when there is no way to a package index, rather than nothing in it. */
const UNREACHABLE =
  /connection|timed out|name resolution|unreachable|proxy|max retries|SSLError|No matching distribution found.*\n?.*index/i;

const UNPACK = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if "/static/" in name])
`;

export interface Frontend {
  readonly version: string;
  /** Its static folder; null when no package index could be reached. */
  readonly folder: string | null;
  readonly reason: string;
}

/** Fetches a version once; later calls find it in the cache (LATENTWIRE_TEST_CACHE names another place for it). */
export function frontend(version: string): Frontend {
  const cache = process.env["LATENTWIRE_TEST_CACHE"] ?? join(homedir(), ".cache", "latentwire-tests");
  const place = join(cache, `${PACKAGE}-${version}`);
  const folder = join(place, "comfyui_frontend_package", "static");
  if (existsSync(join(folder, "index.html"))) return { version, folder, reason: "" };
  const arriving = `${place}.${process.pid}`;
  mkdirSync(arriving, { recursive: true });
  try {
    const said = download(version, arriving);
    if (said !== null) {
      if (UNREACHABLE.test(said)) return { version, folder: null, reason: `no package index: ${lastLine(said)}` };
      throw new Error(`pip could not fetch ${PACKAGE} ${version}:\n${said}`);
    }
    const wheel = readdirSync(arriving).find((each) => each.endsWith(".whl"));
    if (wheel === undefined) throw new Error(`pip fetched no wheel of ${PACKAGE} ${version}`);
    execFileSync(python(), ["-c", UNPACK, join(arriving, wheel), arriving]);
    rmSync(place, { recursive: true, force: true });
    renameSync(arriving, place);
  } finally {
    rmSync(arriving, { recursive: true, force: true });
  }
  return { version, folder, reason: "" };
}

/** What pip complained of; null when all went well. */
function download(version: string, target: string): string | null {
  const words = ["-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps", "--retries", "2"];
  const done = spawnSync(python(), [...words, "--dest", target, `${PACKAGE}==${version}`], {
    encoding: "utf-8",
    timeout: PATIENCE,
  });
  if (done.status === 0) return null;
  return `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}` || "timed out";
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
