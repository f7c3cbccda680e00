/** What the templates that ship are called in the person's language. Others keep the words of their files. */

import { lookUp } from "@/texts/index";

import type { Template } from "./opening";

export function inLanguage(template: Template): Template {
  const key = `template.${template.name}`;
  return {
    ...template,
    title: known(`${key}.title`) ?? template.title,
    description: known(`${key}.description`) ?? template.description,
  };
}

function known(key: string): string | null {
  const words = lookUp(key);
  return words === key ? null : words;
}
