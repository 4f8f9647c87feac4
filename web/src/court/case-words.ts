/** The words a clerk types for recognition (识别词表): one field of text, taken apart as the server will take them. */

export const MOST_WORDS = 100;
const WORD = /^[\u3400-\u4dbf\u4e00-\u9fffA-Za-z0-9·]{2,16}$/u;

export interface TypedWords {
  words: string[];
  /** Those the server would refuse. */
  wrong: string[];
}

/** Separated by marks, spaces or lines; each once. */
export function wordsOf(text: string): TypedWords {
  const parts = [...new Set(text.split(/[\s、，,；;。]+/u).filter((part) => part !== ""))];
  return { words: parts.filter((part) => WORD.test(part)), wrong: parts.filter((part) => !WORD.test(part)) };
}

export const asText = (words: readonly string[]) => words.join("、");
