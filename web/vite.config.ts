import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    // The page's policy allows nothing inline: no data: addresses, no polyfill script.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  test: {
    environment: "happy-dom",
    isolate: false, // one document for all files: making one costs more than all tests
    include: ["tests/**/*.test.ts"],
  },
});
