/*
 * The official conformance suite, run against the MCP server directly and
 * through the gateway: what passes there passes here, in every revision that
 * the suite knows.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { stack_print, stack_start, stack_stop } from "./stack.js";

const CLI = path.join(path.dirname(fileURLToPath(import.meta.resolve(
    "@modelcontextprotocol/conformance/package.json"))), "dist/index.js");

/*
 * What the gateway refuses in the server's place: checks that pass through it
 * only.
 */
const OURS = [
	"dns-rebinding-protection: localhost-host-rebinding-rejected",
	"tasks-request-headers: tasks-headers-reject-mismatched-method",
];

let stack;
before(async () => {
	stack = await stack_start({ open: true });
});
after(() => stack && stack_stop(stack));

/* "scenario: check" of each check that passed, and how many there were. */
async function run(url, dir) {
	/* It exits with 1 when anything failed, as much does on both ways. */
	await promisify(execFile)(process.execPath, [CLI, "server", "--url",
	    url, "--suite", "all", "--timeout", "10000", "-o", dir],
	    { timeout: 100000, maxBuffer: 1 << 26 })
	    .catch((err) => {
		if (err.code !== 1)
			throw err;
	});
	const passed = [];
	let total = 0;

	for (const name of fs.readdirSync(dir)) {
		const file = path.join(dir, name, "checks.json");
		const scenario = name.replace(/^server-/, "")
		    .replace(/-\d{4}-\d\d-\d\dT.*$/, "");

		/* a scenario that broke down has none */
		if (!fs.existsSync(file))
			continue;
		for (const check of JSON.parse(fs.readFileSync(file))) {
			total++;
			if (check.status === "SUCCESS")
				passed.push(`${scenario}: ${check.id}`);
		}
	}
	return { passed: passed.sort(), total };
}

test("the same checks pass directly and through the gateway", async () => {
	const local = (url) => url.replace("127.0.0.1", "localhost");
	const direct = await run(local(stack.upstream_url),
	    `${stack.dir}/direct`);
	const through = await run(local(stack.url), `${stack.dir}/through`);
	const lost = direct.passed.filter((c) => !through.passed.includes(c));
	const won = through.passed.filter((c) => !direct.passed.includes(c));

	try {
		assert.ok(direct.passed.length > 40, "the suite did not run: " +
		    JSON.stringify(direct));
		assert.deepEqual(lost, []);
		assert.deepEqual(won, OURS);
	} catch (err) {
		stack_print(stack);
		throw err;
	}
});
