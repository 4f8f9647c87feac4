/** 大字 and 高对比, kept per person on this device and applied to the root element. */
import { reactive, watch } from "vue";

interface Preferences {
  elder: boolean;
  contrast: boolean;
  /** Size of captions: 0 normal, 1 larger, 2 largest. */
  captionStep: number;
}

const preferences = reactive<Preferences>({ elder: false, contrast: false, captionStep: 0 });
let owner = "";

const keyOf = (person: string) => `court.preferences.${person}`;

function stored(person: string): Preferences | null {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(keyOf(person)) ?? "null");
    if (typeof value !== "object" || value === null) return null;
    const found = value as Partial<Record<keyof Preferences, unknown>>;
    const step = found.captionStep;
    return { elder: found.elder === true, contrast: found.contrast === true, captionStep: step === 1 || step === 2 ? step : 0 };
  } catch {
    return null; // a broken or refused store only means the defaults
  }
}

function show(): void {
  const root = document.documentElement;
  if (preferences.elder) root.dataset.mode = "elder";
  else delete root.dataset.mode;
  if (preferences.contrast) root.dataset.contrast = "high";
  else delete root.dataset.contrast;
}

/** Load what this person chose; before anybody is known, what was last chosen on this device. */
export function applyPreferences(person = ""): void {
  owner = person;
  const found = stored(person) ?? stored("");
  if (found) Object.assign(preferences, found);
  show();
}

watch(preferences, (value) => {
  show();
  try {
    for (const person of new Set(["", owner])) localStorage.setItem(keyOf(person), JSON.stringify(value));
  } catch {
    // private browsing: the choice holds for this page only
  }
});

export function usePreferences() {
  return preferences;
}
