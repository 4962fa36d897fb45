import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const NOTICE = "/*! callspool player, MIT. It contains Lit, Copyright 2017 Google LLC, BSD-3-Clause. */";

/** Builds the player as one file, and beside it the same compressed: a server sends that as it is. */
export default defineConfig({
  root: import.meta.dirname,
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: false,
    reportCompressedSize: false,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: () => "player.js" },
    rolldownOptions: { output: { codeSplitting: false, minify: true, postBanner: NOTICE } },
  },
  plugins: [
    {
      name: "compressed",
      writeBundle(options) {
        const file = resolve(options.dir ?? "dist", "player.js");
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
      },
    },
  ],
});
