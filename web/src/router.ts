/** The pages of the app. A page that needs a session says so in `meta.session`. */
import { createRouter, createWebHistory, type RouteLocationRaw } from "vue-router";

import { useSession } from "@/composables/useSession";

declare module "vue-router" {
  interface RouteMeta {
    session?: boolean;
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/", name: "docket", component: () => import("@/pages/DocketPage.vue"), meta: { session: true } },
    { path: "/sign-in", name: "sign-in", component: () => import("@/pages/SignInPage.vue") },
    { path: "/j/:token", name: "join", component: () => import("@/pages/JoinPage.vue") },
    { path: "/hearings/new", name: "new-hearing", component: () => import("@/pages/NewHearingPage.vue"), meta: { session: true } },
    { path: "/hearings/:id", name: "hearing", component: () => import("@/pages/HearingPage.vue"), meta: { session: true } },
    { path: "/sittings/:id/lobby", name: "lobby", component: () => import("@/pages/LobbyPage.vue"), meta: { session: true } },
    { path: "/sittings/:id/record", name: "record", component: () => import("@/pages/RecordPage.vue"), meta: { session: true } },
    { path: "/sittings/:id", name: "courtroom", component: () => import("@/pages/CourtroomPage.vue"), meta: { session: true } },
    { path: "/network-test", name: "network-test", component: () => import("@/pages/NetworkTestPage.vue"), meta: { session: true } },
    { path: "/:rest(.*)*", name: "missing", component: () => import("@/pages/MissingPage.vue") },
  ],
});

/** Where somebody should be instead: nobody signed in → sign-in; a party on the docket → their own lobby. */
router.beforeEach(async (to): Promise<RouteLocationRaw | true> => {
  if (!to.meta.session) return true;
  const { ensure } = useSession();
  const me = await ensure();
  if (me === null) return true; // the server did not answer: the page itself says so and offers to try again
  if (me.kind === "none") return { name: "sign-in", query: to.path === "/" ? {} : { next: to.fullPath } };
  if (to.name === "docket" && me.kind === "participant" && me.sitting_id) return { name: "lobby", params: { id: me.sitting_id } };
  return true;
});
