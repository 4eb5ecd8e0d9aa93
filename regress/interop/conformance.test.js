/*
 * The official conformance suite, run against MCP servers directly and
 * through the gateway: what passes there passes here, in every revision that
 * the suite knows, with and without a token.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { stack_print, stack_start, stack_stop, token_for } from "./stack.js";

const CLI = path.join(path.dirname(fileURLToPath(import.meta.resolve(
    "@modelcontextprotocol/conformance/package.json"))), "dist/index.js");
const BEARER = path.join(import.meta.dirname, "bearer.js");

/*
 * server	of stack.js
 * revisions	the gateway's mcp.revisions: those that the server tells clients
 * runs		the suite's arguments, once each
 * whole	nothing fails
 * ours		checks that pass through the gateway only, since it refuses what
 *		the server would not
 */
const LEGS = [{
	name: "2025-03-26 to 2025-11-25",
	server: "reference",
	runs: ["2025-03-26", "2025-06-18", "2025-11-25"].map((v) =>
		["--suite", "all", "--spec-version", v]),
	whole: true,
	ours: [],
}, {
	name: "2026-07-28",
	server: "reference",
	revisions: ["2026-07-28"],
	runs: [["--suite", "all", "--spec-version", "2026-07-28"]],
	whole: true,
	ours: [],
}, {
	name: "the server of everything",
	server: "everything",
	runs: [["--suite", "all"]],
	whole: false,
	ours: [
		"dns-rebinding-protection: DNSRebindingRejected",
		"server-stateless: HttpServerHeaderMismatch400",
		"tasks-request-headers: TasksHeadersRejectMismatchedMethod",
	],
}];

/* Every check of one run of the suite, as { name, status, error }. */
async function run_once(url, args, dir, token) {
	const env = { ...process.env, BEARER: token,
	    BEARER_HOST: new URL(url).host };

	fs.mkdirSync(dir);
	/* It exits with 1 when a check failed. */
	await promisify(execFile)(process.execPath, [
		...token === undefined ? [] : ["--import", BEARER],
		CLI, "server", "--url", url, "--timeout", "10000", "-o", dir,
		...args,
	], { env, timeout: 60000, maxBuffer: 1 << 26 }).catch((err) => {
		if (err.code !== 1)
			throw err;
	});
	return fs.readdirSync(dir).flatMap((name) => {
		const file = path.join(dir, name, "checks.json");
		const scenario = name.replace(/^server-/, "")
		    .replace(/-\d{4}-\d\d-\d\dT.*$/, "");

		/* a scenario that broke down has none */
		if (!fs.existsSync(file))
			return [{ name: scenario, status: "BROKEN" }];
		return JSON.parse(fs.readFileSync(file)).map((c) => ({
			name: `${scenario}: ${c.name}`,
			status: c.status,
			error: c.errorMessage,
		}));
	});
}

/* All runs of a leg; a check that is made in several has several names. */
async function run(leg, url, dir, token) {
	const checks = [];

	fs.mkdirSync(dir);
	for (const [n, args] of leg.runs.entries())
		for (const c of await run_once(url.replace("127.0.0.1",
		    "localhost"), args, `${dir}/${n}`, token))
			checks.push({ ...c, name: leg.runs.length === 1 ?
			    c.name : `${args.at(-1)}: ${c.name}` });
	return checks;
}

const passed = (checks) => checks.filter((c) => c.status === "SUCCESS")
    .map((c) => c.name).sort();

/* What is in a and not in b, counting what is in them more than once. */
function without(a, b) {
	const left = [...b];

	return a.filter((name) => {
		const n = left.indexOf(name);

		if (n !== -1)
			left.splice(n, 1);
		return n === -1;
	});
}

function print(checks, names, where) {
	for (const c of checks)
		if (names.includes(c.name) && c.status !== "SUCCESS")
			console.error(`${where}: ${c.name}: ${c.status} ` +
			    (c.error ?? ""));
}

function compare(leg, direct, through) {
	const lost = without(passed(direct), passed(through));
	const won = without(passed(through), passed(direct));

	print(through, lost, "through the gateway");
	print(direct, without(won, leg.ours), "directly");
	assert.notEqual(passed(direct).length, 0, "nothing passes");
	assert.deepEqual(lost, [], "pass directly only");
	assert.deepEqual(won, leg.ours, "pass through the gateway only");
	if (leg.whole)
		for (const checks of [direct, through])
			assert.deepEqual(checks.filter((c) =>
				!["SUCCESS", "INFO"].includes(c.status)), []);
}

async function check(leg, open) {
	const stack = await stack_start({ ...leg, open });

	try {
		leg.direct ??= await run(leg, stack.upstream_url,
		    `${stack.dir}/direct`);
		const through = await run(leg, stack.url,
		    `${stack.dir}/through`, open ? undefined :
		    await token_for(stack, "machine"));

		console.log(`${leg.name}: ${passed(leg.direct).length} checks`,
		    `pass directly, ${passed(through).length} through`);
		compare(leg, leg.direct, through);
	} catch (err) {
		stack_print(stack);
		throw err;
	} finally {
		await stack_stop(stack);
	}
}

describe("the suite passes as it does without the gateway", () => {
	for (const leg of LEGS) {
		it(leg.name, () => check(leg, true));
		it(`${leg.name}, with a token`, () => check(leg, false));
	}
});
