/*
 * The status page in Chromium, served by a gateway that has had requests of
 * every outcome: it shows what v1/all and /metrics say, asks nobody else, can
 * be read and worked by keyboard, and takes names from outside for text.
 * SHOTS=dir leaves pictures of it.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { browser_start, browser_stop, faint } from "./browser.js";
import { stack_print, stack_start, stack_stop, token_for, until }
    from "./stack.js";

const HOSTILE = ["<img src=x onerror=\"window.pwned = 1\">", "\u202eevil\u2066",
    "</td></table><script>window.pwned = 1</script>", "__proto__", "a\nb\0c"];
const WIDTHS = [1280, 400];
const SCHEMES = ["light", "dark"];

/* -- requests of clients -- */

function post(stack, message, headers = {}, init = {}, url = stack.url) {
	return fetch(url, {
		method: "POST",
		headers: {
			"content-type": "application/json",
			"accept": "application/json, text/event-stream",
			"authorization": `Bearer ${stack.token}`,
			...headers,
		},
		body: JSON.stringify({ jsonrpc: "2.0", id: randomUUID(),
		    ...message }),
		...init,
	});
}

async function session_open(stack) {
	const res = await post(stack, { method: "initialize", params: {
		protocolVersion: "2025-11-25",
		capabilities: {},
		clientInfo: { name: "page", version: "1" },
	} });

	await res.text();
	assert.equal(res.status, 200);
	return {
		"mcp-session-id": res.headers.get("mcp-session-id"),
		"mcp-protocol-version": "2025-11-25",
	};
}

async function answered(promise, status) {
	const res = await promise;

	await res.text();
	assert.equal(res.status, status);
}

/* Each outcome, each a different number of times; a stream stays open. */
async function traffic(stack) {
	const session = await session_open(stack);
	const call = (name, args, init) => post(stack, { method: "tools/call",
	    params: { name, arguments: args } }, session, init);

	for (const name of ["echo", "echo", "echo", ...HOSTILE])
		await answered(call(name, { message: "hello" }), 200);
	for (let n = 0; n < 4; n++)
		await answered(post(stack, { method: "ping" },
		    { authorization: "" }), 401);
	for (let n = 0; n < 3; n++)
		await answered(post(stack, { method: "ping" }, {}, {},
		    `${stack.url}/gone`), 502);
	for (let n = 0; n < 2; n++) {
		const abort = new AbortController();
		const res = await call("trigger-long-running-operation",
		    { duration: 60, steps: 600 }, { signal: abort.signal });

		assert.equal(res.status, 200);
		abort.abort();
	}
	stack.stream = new AbortController();
	/* kept: a response that nobody has is taken back */
	stack.streaming = await fetch(stack.url, {
		headers: { ...session, "accept": "text/event-stream",
		    "authorization": `Bearer ${stack.token}` },
		signal: stack.stream.signal,
	});
	assert.equal(stack.streaming.status, 200);
}

/* -- the numbers -- */

async function admin_get(stack, path) {
	const res = await fetch(stack.admin.url + path, {
		headers: { authorization: `Bearer ${stack.admin.token}` },
	});

	assert.equal(res.status, 200, path);
	return res;
}

const all_get = async (stack) => (await admin_get(stack, "v1/all")).json();

/* [{name, labels, value}] of the text format. */
async function metrics_get(stack) {
	const text = await (await admin_get(stack, "metrics")).text();

	return text.split("\n").filter((l) => l && !l.startsWith("#"))
	    .map((l) => {
		const [, name, labels, value] =
		    l.match(/^(\w+)(?:\{(.*)\})? (\S+)$/);

		return {
			name,
			labels: Object.fromEntries([...(labels ?? "").matchAll(
			    /(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) =>
				[m[1], m[2]])),
			value: Number(value),
		};
	    });
}

const sum = (metrics, name, labels = {}) => metrics.filter((m) =>
	m.name === name && Object.entries(labels).every(([k, v]) =>
		m.labels[k] === v)).reduce((n, m) => n + m.value, 0);

/* -- the page -- */

/* Rows of a table, or of what is like one: {field: text}. */
function rows(page, box) {
	return page.evaluate((selector) =>
		[...document.querySelectorAll(selector)].map((row) =>
			Object.fromEntries([...row.querySelectorAll(
			    "[data-f]")].map((e) =>
				[e.dataset.f, e.textContent]))), box);
}

const table = (page, id) => rows(page, `#${id} tbody > tr`);
const number = (text) => Number(text.replaceAll(",", ""));

/* Everything that the page and v1/all both have, from either. */
async function page_says(page) {
	const strips = await rows(page, "#strips > .strip");
	const facts = Object.fromEntries((await rows(page, "#facts > div"))
	    .map((r) => [r.k, r.v]));
	const top = async (id) => (await table(page, id)).map((r) =>
		[r.name, number(r.requests), number(r.errors),
		    number(r.denied)]).sort();
	const counts = async (id, name, n) => Object.fromEntries(
	    (await table(page, id)).map((r) => [r[name], number(r[n])]));

	return {
		action: Object.fromEntries(strips.slice(0, 4).map((r) =>
			[r.name, number(r.total)])),
		connections: number(strips[5].now),
		streams: number(strips[6].now),
		requests: number(facts.requests),
		sessions: number(facts["sessions opened"]),
		auth: await counts("auth", "name", "count"),
		revision: await counts("revision", "name", "count"),
		refusals: await counts("refusals", "reason", "count"),
		tool: await top("tool"),
		client: await top("client"),
		method: await top("method"),
		upstreams: (await table(page, "upstreams")).map((r) =>
			[r.name, number(r.requests), number(r.failed)]),
		jwks: (await table(page, "jwks")).filter((r) => r.state)
		    .map((r) => [r.issuer, number(r.keys)]),
		workers: (await table(page, "workers")).map((r) =>
			[r.role, r.state, Number(r.pid)]),
	};
}

const shown = (name) => String(name).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) =>
	`\\u{${c.codePointAt(0).toString(16)}}`) || "(none)";
const some = (counts) => Object.fromEntries(Object.entries(counts)
    .filter(([, n]) => n > 0).map(([k, n]) => [shown(k), n]));

function all_says(all) {
	const { status, top } = all;
	const several = new Set(top.tool.map((r) => r.upstream)).size > 1;
	const list = (of) => top[of].map((r) => [shown(r.name) +
	    (several && of === "tool" ? ` · ${r.upstream}` : ""),
	    r.requests, r.errors, r.denied]).sort();

	return {
		action: { allow: 0, deny: 0, error: 0, aborted: 0,
		    ...top.action },
		connections: status.connections,
		streams: status.streams,
		requests: status.requests,
		sessions: all.sessions.opened,
		auth: some(top.auth),
		revision: some(top.revision),
		refusals: Object.fromEntries(all.refusals.map((r) =>
			[r.reason, r.count])),
		tool: list("tool"),
		client: list("client"),
		method: list("method"),
		upstreams: all.upstreams.flatMap((u) => [
			[u.name, u.requests, u.errors],
			...u.servers.map((s) => [s.url, s.requests,
			    s.failures]),
		]),
		jwks: all.jwks.map((k) => [k.issuer, k.keys.length]),
		workers: all.workers.map((w) => [`${w.role} ` +
		    `${w.instance ?? ""}`.trim(), w.state, w.pid]),
	};
}

/* The page polled after all was over, and again nothing has changed. */
async function check_values(c) {
	let all, page;

	await until("the page to say what v1/all does", async () => {
		all = all_says(await all_get(c.stack));
		page = await page_says(c.page);
		return isDeepStrictEqual(all, page);
	}).catch(() => assert.deepEqual(page, all));
	for (const action of ["allow", "deny", "error", "aborted"])
		assert.ok(page.action[action] > 0, action);
	assert.deepEqual(page.action, { ...page.action, deny: 4, error: 3,
	    aborted: 2 });
	assert.equal(page.streams, 1);
	assert.equal(page.jwks.length, 1);
	assert.equal(page.sessions, 1);

	const metrics = await metrics_get(c.stack);
	for (const [action, n] of Object.entries(page.action))
		assert.equal(sum(metrics, "mcpgw_requests_total", { action }),
		    n, action);
	for (const [name, requests] of page.method)
		assert.equal(sum(metrics, "mcpgw_requests_total",
		    { method: name }), requests, name);
	for (const [auth_result, n] of Object.entries(page.auth))
		assert.equal(sum(metrics, "mcpgw_requests_total",
		    { auth_result }), n, auth_result);
	for (const [reason, n] of Object.entries(page.refusals))
		assert.equal(sum(metrics, "mcpgw_refusals_total", { reason }),
		    n, reason);
	assert.equal(sum(metrics, "mcpgw_streams_open"), page.streams);
	assert.equal(sum(metrics, "mcpgw_connections_open"), page.connections);
	assert.equal(sum(metrics, "mcpgw_requests_total"), page.requests);
}

/* Quantiles of the last minute, which is all that there was. */
async function check_latency(c) {
	const { buckets } = (await all_get(c.stack)).top.total;
	const shown = Object.fromEntries((await table(c.page, "latency"))
	    .map((r) => [r.q, r.all]));
	const bars = await c.page.evaluate(() =>
		[...document.querySelectorAll("#bars > div")].map((e) =>
			parseInt(e.title.replace(/,/g, ""), 10)));

	assert.deepEqual(bars, buckets.map((n, i) => n - (i && buckets[i - 1])));
	for (const [name, q] of [["p50", .5], ["p95", .95], ["p99", .99]])
		assert.match(shown[name], buckets[0] >= q * buckets[14] ?
		    /^≤10 ms$/ : /^>?\d+(\.\d+)? (ms|s)$/, name);
	assert.match(shown.mean, /^\d+(\.\d+)? (ms|s)$/);
}

/* -- what the answer is made into, before the page has it -- */

/* An answer from now on has been drawn: one may be on its way, and the next
 * is not asked for before the last was drawn.  Time is made to pass. */
async function drawn(c) {
	const polls = c.polls;

	await until("polls", async () => {
		await c.page.clock.runFor(1000);
		return c.polls >= polls + 3;
	});
}

/* change(all), until undone. */
async function doctored(c, change) {
	const where = "**/v1/all";

	await c.page.route(where, async (route) => {
		const all = await all_get(c.stack);

		await route.fulfill({ json: change(all) ?? all });
	});
	await drawn(c);
	return async () => {
		/* not while one of its answers is on its way */
		await c.page.unrouteAll({ behavior: "wait" });
		await drawn(c);
	};
}

const LONG = "A".repeat(65536);

function make_hostile(all) {
	const row = all.top.total;
	const names = [...HOSTILE, LONG, "\u0627".repeat(LONG.length), "z\u0351"
	    .repeat(LONG.length / 2)];

	for (const of of ["tool", "client", "method"])
		all.top[of] = names.map((name) => ({ ...row, name,
		    upstream: of === "tool" ? LONG : undefined }));
	all.rules = names.map((id) => ({ id, action: LONG, count: 1e15,
	    shadow: false }));
	all.refusals = names.map((reason) => ({ reason, status: 400,
	    count: 1e15, last: LONG }));
	for (const of of ["auth", "revision"])
		all.top[of] = Object.fromEntries(names.map((n) => [n, 1e15]));
	all.upstreams = names.map((name) => ({ ...all.upstreams[0], name,
	    servers: [{ url: name, up: false }] }));
	all.jwks = names.map((name) => ({ issuer: name, last_error: name,
	    keys: [{ kid: name, alg: name }], skipped: [{ kid: name,
	    why: name }] }));
	all.workers = names.map((role) => ({ role, state: role, pid: role }));
	Object.assign(all.status, { version: LONG, log_level: LONG,
	    generations: names.map((state) => ({ id: 1, state })) });
	all.status.config = { path: LONG, digest: LONG };
	all.status.reloads.last_error = names.join("\n");
	all.status.audit = { path: names.join("\n"), broken: true };
	all.status.limits = Object.fromEntries(names.map((n) => [n, 1]));
}

/* Every state that there is a colour for, in one page. */
function make_colourful(all) {
	const rule = (id, action, shadow) => ({ id, action, count: 7, shadow });
	const name = (n) => ({ ...all.top.total, name: `tool_${n}` });

	all.rules = [rule("read", "allow", false), rule("write", "deny", false),
	    rule("soon", "deny", true)];
	all.top.tool = Array.from({ length: 14 }, (_, n) => name(n));
	all.upstreams[0].servers.push({ url: "http://192.0.2.1", up: false });
	all.jwks.push({ ...all.jwks[0], issuer: "https://a.example/",
	    last_error: "status 503" });
	all.status.draining = true;
	all.status.audit.broken = true;
	all.status.reloads.last_error = "mcpgw.yaml:3:1: expected a number";
	all.status.telemetry = { enabled: true, dropped: 7,
	    last_error: "connection refused" };
	all.workers[0].state = "draining";
}

async function check_hostile(c) {
	const undo = await doctored(c, make_hostile);
	const found = await c.page.evaluate(() => ({
		pwned: window.pwned,
		made: document.querySelectorAll("main img, main script, " +
		    "#banners script, #banners img, iframe, object").length,
		odd: /[\u0000-\u0008\u200b-\u200f\u202a-\u202e\u2066-\u2069]/
		    .test(document.querySelector("main").textContent +
		    document.querySelector("#banners").textContent),
		long: Math.max(...[...document.querySelectorAll(
		    "main td, main dd, main p, header p")].map((e) =>
			e.textContent.length)),
		whole: !/drawn whole/.test(document.querySelector("#banners")
		    .textContent),
		titles: Math.max(...[...document.querySelectorAll("[title]")]
		    .map((e) => e.title.length)),
	}));

	assert.deepEqual({ ...found, long: found.long < 2000,
	    titles: found.titles < 2000 }, { pwned: undefined, made: 0,
	    odd: false, long: true, whole: true, titles: true });
	assert.ok((await table(c.page, "tool")).some((r) =>
		r.name.startsWith(HOSTILE[0])));
	assert.equal((await table(c.page, "client"))[1].name,
	    "\\u{202e}evil\\u{2066}");
	await check_width(c, 400);
	await c.page.setViewportSize({ width: 1280, height: 900 });
	await undo();
}

async function check_width(c, width) {
	await c.page.setViewportSize({ width, height: 900 });
	assert.deepEqual(await c.page.evaluate(() =>
		document.documentElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter((e) =>
			e.getBoundingClientRect().right > innerWidth)
		    .map((e) => `${e.tagName} ${e.id} ` +
			e.textContent.slice(0, 40))),
	[], `it scrolls sideways at ${width}`);
}

async function check_look(c) {
	const undo = await doctored(c, make_colourful);
	const backgrounds = new Set();

	for (const width of WIDTHS)
		for (const colorScheme of SCHEMES) {
			await c.page.emulateMedia({ colorScheme });
			await check_width(c, width);
			const { seen, faint: list } = await faint(c.page);

			assert.ok(seen > 150, `${seen} places`);
			assert.deepEqual(list, [], colorScheme);
			backgrounds.add(await background(c));
			if (process.env.SHOTS)
				await c.page.screenshot({ fullPage: true, path:
				    `${process.env.SHOTS}/${colorScheme}-` +
				    `${width}.png` });
		}
	assert.equal(backgrounds.size, 2);
	await c.page.setViewportSize({ width: 1280, height: 900 });
	await undo();
}

/* -- by keyboard -- */

const background = (c) => c.page.evaluate(() =>
	getComputedStyle(document.body).backgroundColor);

async function check_tab_order(c) {
	const order = [];

	await c.page.focus("#pause");
	for (let n = 0; n < 6; n++) {
		await c.page.keyboard.press(n ? "Tab" : "Shift+Tab");
		order.push(await c.page.evaluate(() => {
			const e = document.activeElement;
			const style = getComputedStyle(e);

			return [e.id || e.textContent, style.outlineStyle,
			    parseFloat(style.outlineWidth) >= 2].join(" ");
		}));
	}
	assert.deepEqual(order, ["theme", "pause", "help", "strips", "v1/all",
	    "metrics"].map((id) => `${id} solid true`));
}

async function check_theme(c) {
	const seen = [];

	await c.page.emulateMedia({ colorScheme: "light" });
	for (let n = 0; n < 3; n++) {
		seen.push([(await c.page.textContent("#theme")).split(" ")[1],
		    await background(c)]);
		await c.page.keyboard.press("t");
	}
	assert.deepEqual(seen.map(([name]) => name), ["system", "light",
	    "dark"]);
	assert.equal(seen[0][1], seen[1][1]);
	assert.notEqual(seen[1][1], seen[2][1]);
	assert.match(await c.page.textContent("#theme"), /^Theme: system/);
}

/* The page's clock is ours here: a paused page lets minutes go by. */
async function check_pause(c) {
	await c.page.keyboard.press("p");
	assert.equal(await c.page.textContent("#state"), "paused");
	const polls = await until("the last poll", async () => {
		const before = c.polls;

		await c.page.clock.runFor(60000);
		return before === c.polls && before;
	});
	await c.page.clock.runFor(60000);
	assert.equal(c.polls, polls);
	await c.page.keyboard.press("p");
	await c.page.clock.runFor(1000);
	await until("polls again", () => c.polls > polls);
	assert.equal(await c.page.textContent("#state"), "serving");
}

async function check_help(c) {
	const opened = () => c.page.evaluate(() =>
		document.querySelector("#keys").open);

	await c.page.keyboard.press("?");
	assert.equal(await opened(), true);
	assert.equal(await c.page.evaluate(() =>
		document.activeElement.textContent), "Close");
	await c.page.keyboard.press("Escape");
	assert.equal(await opened(), false);
}

async function check_cursor(c) {
	const when = () => c.page.textContent("#when");

	await c.page.focus("#strips");
	await c.page.keyboard.press("ArrowLeft");
	assert.match(await when(), /^at \d\d:\d\d:\d\dZ/);
	await c.page.keyboard.press("Escape");
	assert.equal(await when(), "");
}

/* -- the door -- */

async function check_login(c) {
	const { page, stack } = c;
	const refused = await fetch(`${stack.admin.url}v1/all`);

	await refused.text();
	assert.equal(refused.status, 401);
	await page.goto(stack.admin.url);
	await page.waitForSelector("#login:not([hidden])");
	assert.equal(await page.isVisible("main"), false);
	for (const wrong of ["wrong", "not a t\u00f6ken"]) {
		await page.fill("#token", wrong);
		await page.keyboard.press("Enter");
		await page.waitForSelector("#refused:not([hidden])");
	}
	await page.fill("#token", stack.admin.token);
	await page.keyboard.press("Enter");
	await page.waitForSelector("main:not([hidden])");
	assert.equal(await page.isVisible("#login"), false);
	/* in memory only */
	assert.deepEqual(await page.evaluate(async (token) => [
		JSON.stringify({ ...localStorage, ...sessionStorage })
		    .includes(token),
		document.cookie, location.href.includes(token),
		document.documentElement.outerHTML.includes(token),
		document.querySelector("#token").value,
	], stack.admin.token), [false, "", false, false, ""]);
	/* the browser tells its console of each 401, which is no fault */
	c.browser.complaints.splice(0).forEach((text) =>
		assert.match(text, /status of 401/));
}

async function check_headers(c) {
	const res = await fetch(c.stack.admin.url);
	const policy = Object.fromEntries(res.headers
	    .get("content-security-policy").split("; ").map((d) =>
		d.split(/ (.*)/)));

	await res.text();
	assert.match(res.headers.get("content-type"),
	    /^text\/html; *charset=utf-8$/i);
	assert.equal(res.headers.get("x-content-type-options"), "nosniff");
	assert.equal(res.headers.get("referrer-policy"), "no-referrer");
	assert.equal(res.headers.get("cache-control"), "no-store");
	for (const name of ["default-src", "base-uri", "form-action",
	    "frame-ancestors"])
		assert.equal(policy[name], "'none'", name);
	assert.equal(policy["connect-src"], "'self'");
}

/* The policy is in force: what would have to be refused is. */
async function check_policy(c) {
	const { complaints } = c.browser;

	assert.deepEqual(complaints, []);
	await c.page.evaluate(() => {
		const script = document.createElement("script");

		script.textContent = "window.pwned = 1";
		document.head.append(script);
		document.body.setAttribute("style", "color: red");
		return fetch("http://127.0.0.1:9/").catch(() => null);
	});
	await until("three violations", () => new Set(complaints.filter((t) =>
		t.startsWith("policy:")).map((t) => t.split(" ")[1]))
	    .size === 3);
	assert.equal(await c.page.evaluate(() => window.pwned), undefined);
	complaints.length = 0;
}

/* Only the page itself and what it polls. */
function check_asked(c) {
	const others = c.browser.asked.filter((url) =>
		![c.stack.admin.url, `${c.stack.admin.url}v1/all`]
		    .includes(url) && !url.startsWith("data:"));

	assert.deepEqual(others, []);
	assert.ok(c.polls > 3);
}

async function check_moves(c) {
	const line = () => c.page.getAttribute(
	    "#strips .edge", "d");
	const before = await line();

	await answered(post(c.stack, { method: "ping" },
	    await session_open(c.stack)), 200);
	await until("another line", async () => await line() !== before);
}

async function check_silence(c) {
	assert.equal(await c.stack.gateway.stop("SIGTERM"), "exit 0");
	await until("a banner", async () => /No answer since \d\d:\d\d:\d\dZ/
	    .test(await c.page.textContent("#banners")));
	assert.equal(await c.page.textContent("#state"), "no answer");
	assert.equal(await c.page.getAttribute("#banners", "role"), "status");
}

async function start(c) {
	c.stack = await stack_start({ admin: true });
	c.stack.token = await token_for(c.stack, "machine");
	c.browser = await browser_start();
	c.page = c.browser.page;
	c.polls = 0;
	c.page.on("response", (res) => {
		c.polls += res.url().endsWith("/v1/all");
	});
	await c.page.clock.install();
}

describe("the status page", () => {
	const c = {};
	let failed = false;
	const test = (name, run) => it(name, { timeout: 30000 }, () =>
		Promise.resolve(run(c)).catch((err) => {
			failed = true;
			throw err;
		}));

	before(() => start(c));
	after(async () => {
		c.stack?.stream?.abort();
		if (failed)
			stack_print(c.stack);
		if (c.browser)
			await browser_stop(c.browser);
		if (c.stack)
			await stack_stop(c.stack);
	});
	test("is served with a strict policy", check_headers);
	test("asks for the token and keeps it in memory", check_login);
	test("shows what /metrics and v1/all say", async () => {
		await traffic(c.stack);
		await check_values(c);
		await check_latency(c);
	});
	test("moves", check_moves);
	test("takes names from outside for text", check_hostile);
	test("can be read in both schemes, at 400 pixels too", check_look);
	test("is worked by keyboard", async () => {
		await check_tab_order(c);
		await check_theme(c);
		await check_pause(c);
		await check_help(c);
		await check_cursor(c);
	});
	test("asks nobody else and breaks no policy", async () => {
		check_asked(c);
		await check_policy(c);
	});
	test("says since when there is no answer", check_silence);
});
