/** The whole window: what a person sees from the first moment, in their theme and their language. */

import { useEffect } from "react";
import { I18nProvider } from "react-aria-components";

import { usePreferences } from "@/state/preferences";
import { setLanguage } from "@/texts/index";

import { Window } from "./Window";

export function App() {
  const theme = usePreferences((state) => state.theme);
  const wanted = usePreferences((state) => state.language);
  const language = setLanguage(wanted, navigator.languages);
  useTheme(theme);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  // Another language draws everything anew: words are read while drawing and nowhere kept.
  return (
    <I18nProvider locale={language === "zh" ? "zh-CN" : "en-US"}>
      <Window key={language} />
    </I18nProvider>
  );
}

function useTheme(theme: "system" | "dark" | "light"): void {
  useEffect(() => {
    const system = window.matchMedia("(prefers-color-scheme: light)");
    const apply = (): void => {
      document.documentElement.dataset["theme"] = theme === "system" ? (system.matches ? "light" : "dark") : theme;
    };
    apply();
    system.addEventListener("change", apply);
    return () => system.removeEventListener("change", apply);
  }, [theme]);
}
