import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env["LATENTWIRE_SERVER"] ?? "http://127.0.0.1:8188";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  base: "./",
  // The server puts a fresh nonce in its place at each request, and into the Content-Security-Policy.
  html: { cspNonce: "CSP_NONCE" },
  build: {
    outDir: "../server/editor",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // nothing becomes a data: address, which the Content-Security-Policy forbids
    chunkSizeWarningLimit: 1500,
  },
  server: { host: "127.0.0.1", proxy: { "/api": { target: server, ws: true } } },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["tests/unit/**/*.test.{ts,tsx}"], environment: "node" } },
      { extends: true, test: { name: "bench", include: [], benchmark: { include: ["benchmarks/**/*.bench.ts"] } } },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["tests/browser/**/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "frontends",
          include: ["tests/frontends/**/*.test.ts"],
          environment: "node",
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "pictures",
          include: ["tests/pictures/pictures.ts"],
          environment: "node",
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
