import vue from "eslint-plugin-vue";
import tseslint from "typescript-eslint";

const noVueInCourt = {
  patterns: [
    { group: ["vue", "vue-*", "@/components/*", "@/composables/*", "@/pages/*"], message: "src/court is plain TypeScript: no Vue." },
  ],
};

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "src/protocol.ts"] },
  ...tseslint.configs.strict,
  ...vue.configs["flat/essential"],
  {
    files: ["**/*.vue"],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      "max-lines": ["error", 400],
      "vue/block-lang": ["error", { script: { lang: "ts" } }],
      "vue/component-api-style": ["error", ["script-setup"]],
      "vue/no-v-html": "error",
    },
  },
  {
    files: ["**/*.ts"],
    rules: { "max-lines": ["error", 400], "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }] },
  },
  { files: ["tests/**", "dev/**"], rules: { "max-lines-per-function": "off", "@typescript-eslint/no-non-null-assertion": "off" } },
  { files: ["src/locales/**"], rules: { "max-lines-per-function": "off" } },
  { files: ["src/court/**"], rules: { "no-restricted-imports": ["error", noVueInCourt] } },
  {
    files: ["src/**"],
    ignores: ["src/court/connection.ts"],
    rules: { "no-restricted-syntax": ["error", { selector: "ImportDeclaration[source.value='socket.io-client'][importKind!='type']", message: "Only court/connection.ts speaks socket.io." }] },
  },
);
