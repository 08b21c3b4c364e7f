// Makes a client and calls its methods, one after the other, as standard input says:
// {"module": …, "args": [for its constructor], "calls": [[method, argument, …], …]}.
// Prints one JSON list: for each call {"result": …} or {"error": …}.
"use strict";

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const asked = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  const Client = require(asked.module);
  const client = new (Client.default || Client)(...asked.args);
  const answers = [];
  for (const [method, ...given] of asked.calls) {
    try {
      answers.push({ result: await client[method](...given) });
    } catch (error) {
      answers.push({ error: error instanceof Error ? String(error) : error });
    }
  }
  process.stdout.write(JSON.stringify(answers));
}

main();
