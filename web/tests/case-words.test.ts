import { describe, expect, it } from "vitest";

import { asText, wordsOf } from "@/court/case-words";

describe("words typed for recognition", () => {
  it("come apart at marks, spaces and lines, each once", () => {
    expect(wordsOf("静安区、江宁路，普陀区\n静安区 CNC机床;")).toEqual({ words: ["静安区", "江宁路", "普陀区", "CNC机床"], wrong: [] });
    expect(wordsOf(" \n、 ")).toEqual({ words: [], wrong: [] });
  });

  it("are told apart from what the server refuses", () => {
    expect(wordsOf("路、买买提·吐尔逊、（二）号")).toEqual({ words: ["买买提·吐尔逊"], wrong: ["路", "（二）号"] });
    expect(wordsOf("长".repeat(17)).wrong).toHaveLength(1);
  });

  it("are shown as they would be typed", () => {
    expect(wordsOf(asText(["静安区", "江宁路"])).words).toEqual(["静安区", "江宁路"]);
  });
});
