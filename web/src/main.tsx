/** The editor starts: the only file that knows every room. */

import "@fontsource-variable/inter";
import "@xyflow/react/dist/style.css";
import "@/ui/tokens.css";
import "@/ui/base.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "@/panels/App";
import { start } from "@/panels/start";

const place = document.getElementById("root");
if (place === null) throw new Error("index.html has no #root");
start();
createRoot(place).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
