// Parses an AsyncAPI document and prints its diagnostics and operations as one JSON object.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

// Modules stand in a cache folder beside a package.json of their own, not beside this script.
const require = createRequire(`${process.argv[2]}/package.json`);
const { Parser } = require("@asyncapi/parser");

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[3], "utf8"));
const operations = document?.operations().all() ?? [];
console.log(
  JSON.stringify({
    version: document?.version() ?? null,
    operations: Object.fromEntries(
      operations.map((it) => [
        it.id(),
        { action: it.action(), topics: it.channels().all().map((channel) => channel.address()) },
      ]),
    ),
    diagnostics: diagnostics.map(({ code, severity, message, path }) => ({
      code,
      severity,
      message,
      path: path.join("."),
    })),
  }),
);
