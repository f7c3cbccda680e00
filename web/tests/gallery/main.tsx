/**
 * Every component of the kit and every widget on one page, to look at while drawing them: `npx vite`, then
 * /tests/gallery/?theme=light, or ?show=widgets. No part of what is built.
 */

import "@fontsource-variable/inter";
import "@xyflow/react/dist/style.css";
import "@/ui/tokens.css";
import "@/ui/base.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { setPlace } from "@/api/client";
import { setLanguage } from "@/texts/index";

import { Kit } from "./Kit";
import { prepareWidgets, Widgets } from "./Widgets";

const asked = new URLSearchParams(location.search);
document.documentElement.dataset["theme"] = asked.get("theme") ?? "dark";
setPlace(`${location.origin}/`);
setLanguage(asked.get("language") ?? "en");
const isWidgets = asked.get("show") === "widgets";
if (isWidgets) prepareWidgets();
const place = document.getElementById("root");
if (place !== null) {
  createRoot(place).render(
    <StrictMode>
      <div style={{ height: "100%", overflow: "auto" }}>{isWidgets ? <Widgets /> : <Kit />}</div>
    </StrictMode>,
  );
}
