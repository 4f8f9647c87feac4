/** Who is signed in here; one value for the whole app. */
import { readonly, shallowRef } from "vue";

import { CourtError, fetchMe, setCsrf, signOut as postSignOut } from "@/court/api";
import type { Me } from "@/protocol";

import { applyPreferences } from "./usePreferences";

const me = shallowRef<Me | null>(null);

function accept(value: Me): Me {
  me.value = value;
  setCsrf(value.csrf);
  applyPreferences(value.participant_id ?? value.name);
  return value;
}

/** Ask the server again; null when it did not answer. */
async function refresh(): Promise<Me | null> {
  try {
    return accept(await fetchMe());
  } catch (error) {
    if (error instanceof CourtError) return null;
    throw error;
  }
}

async function ensure(): Promise<Me | null> {
  return me.value && me.value.kind !== "none" ? me.value : refresh();
}

async function signOut(): Promise<void> {
  await postSignOut();
  await refresh();
}

/** `accept` takes the Me that sign-in and link exchange answer with. */
export function useSession() {
  return { me: readonly(me), refresh, ensure, accept, signOut };
}
