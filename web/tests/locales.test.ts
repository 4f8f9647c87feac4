/** Every message key used in a template or script exists, and no page holds Chinese text of its own. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { zhCN } from "@/locales/zh-CN";

const root = join(import.meta.dirname, "../src");
const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(vue|ts)$/.test(name) && !name.startsWith("locales") && name !== "protocol.ts")
  .map((name) => ({ name, text: readFileSync(join(root, name), "utf8") }));

function lookUp(key: string): unknown {
  return key.split(".").reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], zhCN);
}

describe("messages", () => {
  for (const { name, text } of sources) {
    it(`of ${name} exist`, () => {
      const keys = [...text.matchAll(/(?<![\w.])\$?t\(\s*"([\w.-]+)"/g)].map((m) => m[1] ?? "");
      expect(keys.filter((key) => typeof lookUp(key) !== "string")).toEqual([]);
    });
  }

  it("stand only in locale files", () => {
    const own = sources
      .filter(({ name }) => name.endsWith(".vue"))
      .filter(({ text }) => /[\u4e00-\u9fff]/.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|<!--[\s\S]*?-->/g, "")));
    expect(own.map((o) => o.name)).toEqual([]);
  });
});
