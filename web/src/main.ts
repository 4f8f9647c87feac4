/** Composition root of the browser side. */
import "@/styles/tokens.css";
import "@/styles/components.css";
import "@/styles/icons.css";
import "@/styles/forms.css";
import "@/styles/room.css";

import { createApp } from "vue";

import App from "@/App.vue";
import { applyPreferences } from "@/composables/usePreferences";
import { i18n } from "@/locales";
import { router } from "@/router";

applyPreferences();
createApp(App).use(i18n).use(router).mount("#app");
