/*
 * The tests, the same for each generation of the SDK.  What differs between
 * generations is in the object that each of the *.test.js hands over:
 *
 * name, negotiates (asks for revision 2026-07-28 first)
 * Client, Transport, ClientCredentialsProvider, PrivateKeyJwtProvider,
 * UnauthorizedError	classes of the SDK
 * on_log(client, handler)	handler(params) for each log notification
 * call(client, params, options)	a tools/call
 * finish(transport, params)	hand over what the callback got
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, it } from "node:test";
import { SHORT_TTL } from "./as.js";
import { audit_method, claims_of, stack_print, stack_start, stack_stop, until }
    from "./stack.js";
import { Browser, CodeProvider } from "./user.js";

const STEPS = 4;
const LONG_RUNNING = {
	name: "trigger-long-running-operation",
	arguments: { duration: 1, steps: STEPS },
};

function transport_new(sdk, stack, authProvider, options) {
	return new sdk.Transport(new URL(stack.url),
	    { authProvider, fetch: stack.record.fetch, ...options });
}

function client_new(sdk, options) {
	return new sdk.Client({ name: "interop", version: "1" }, options);
}

/* A session for a client that needs no user; { client, transport }. */
async function connect(sdk, stack, provider, options) {
	const client = client_new(sdk, options);
	const transport = transport_new(sdk, stack, provider);

	await client.connect(transport);
	return { client, transport };
}

/*
 * As an application does: be refused, send the user to the authorization
 * server, hand over what comes back, connect again.
 */
async function login(sdk, stack, provider, browser) {
	const refused = transport_new(sdk, stack, provider);

	await assert.rejects(client_new(sdk).connect(refused),
	    sdk.UnauthorizedError);
	await sdk.finish(refused, await provider.approve(browser));
	await refused.close();
	return connect(sdk, stack, provider);
}

/* The standalone stream, which the SDK opens on its own, has its answer. */
async function stream_of(stack, { transport }) {
	return until("the GET stream", () => stack.record.mcp().findLast((e) =>
		e.method === "GET" && e.status &&
		e.headers.get("mcp-session-id") === transport.sessionId));
}

async function leave(stack, session) {
	await stream_of(stack, session);
	await session.transport.terminateSession();
	await session.client.close();
}

async function echo(sdk, client, message) {
	const result = await sdk.call(client,
	    { name: "echo", arguments: { message } });

	assert.equal(result.content[0].text, `Echo: ${message}`);
}

/* Wait until the token that a provider holds has expired. */
async function expiry(provider) {
	const token = (await provider.tokens()).access_token;
	const claims = claims_of({
		headers: new Headers({ authorization: `Bearer ${token}` }),
	});

	await until("the token's expiry",
	    () => Date.now() > claims.exp * 1000 + 50, SHORT_TTL + 2);
	return token;
}

/* A call with an expired token: refused once, then done with a new one. */
async function call_when_expired(sdk, stack, session, provider, grant) {
	const old = await expiry(provider);
	const mark = stack.record.all.length;

	await echo(sdk, session.client, "after expiry");
	const posts = stack.record.mcp(mark).filter((e) =>
		e.method === "POST");
	assert.deepEqual(posts.map((e) => e.status), [401, 200]);
	assert.match(posts[0].challenge, /error="invalid_token"/);
	assert.deepEqual(stack.record.grants(mark), [grant]);
	assert.notEqual((await provider.tokens()).access_token, old);
}

/* The requests of a login, in the order of the specifications. */
function check_discovery(stack, mark) {
	const seen = stack.record.all.slice(mark);
	const metadata = seen[0].challenge.match(
	    /resource_metadata="([^"]*)"/)[1];
	const steps = [
		[stack.url, 401],
		[metadata, 200],
		[`${stack.as.issuer}/.well-known/oauth-authorization-server`,
		    200],
		[`${stack.as.issuer}/reg`, 201],
		[`${stack.as.issuer}/token`, 200],
	];

	assert.match(seen[0].challenge, /^Bearer realm="mcpgw", /);
	assert.doesNotMatch(seen[0].challenge, /error=/);
	for (const [url, status] of steps) {
		const n = seen.findIndex((e) => e.url === url);

		assert.notEqual(n, -1, `no request to ${url}`);
		assert.equal(seen[n].status, status, url);
		seen.splice(0, n + 1);
	}
	return metadata;
}

async function check_metadata(stack, url) {
	const document = await (await fetch(url)).json();

	assert.equal(document.resource, stack.url);
	assert.deepEqual(document.authorization_servers, [stack.as.issuer]);
	assert.deepEqual(document.bearer_methods_supported, ["header"]);
	assert.deepEqual(document.scopes_supported, ["mcp:read"]);
}

async function check_progress(sdk, client, transport) {
	const seen = [];
	const result = await sdk.call(client, LONG_RUNNING, {
		onprogress: (p) => seen.push({ ...p, at: Date.now() }),
	});
	const whole = Date.now() - seen[0]?.at;

	assert.match(result.content[0].text, /completed/);
	assert.deepEqual(seen.map((p) => p.progress), [1, 2, 3, 4]);
	/* Events that waited for the last one would come at once. */
	assert.ok(whole > 500, `all progress came within ${whole} ms`);
}

async function check_stream(sdk, stack, session) {
	const logs = [];
	const toggle = { name: "toggle-simulated-logging", arguments: {} };
	const stream = await stream_of(stack, session);

	assert.equal(stream.status, 200);
	assert.match(stream.type, /^text\/event-stream/);
	sdk.on_log(session.client, (params) => logs.push(params));
	await sdk.call(session.client, toggle);
	await until("a log message", () => logs.length > 0);
	assert.match(logs[0].data, /message/);
	await sdk.call(session.client, toggle);
}

/* A new client asks an old server which revisions it knows, then falls back. */
async function check_negotiation(sdk, stack, provider) {
	const mark = stack.record.all.length;
	const session = await connect(sdk, stack, provider,
	    { versionNegotiation: { mode: "auto" } });
	const posts = stack.record.mcp(mark);

	assert.deepEqual(posts.slice(0, 2).map(audit_method),
	    ["server/discover", "initialize"]);
	assert.equal(posts[0].headers.get("mcp-method"), "server/discover");
	assert.equal(posts[0].status, 400);
	await echo(sdk, session.client, "after falling back");
	await leave(stack, session);
}

async function check_cancel(sdk, client) {
	const abort = new AbortController();

	await assert.rejects(sdk.call(client, LONG_RUNNING, {
		signal: abort.signal,
		onprogress: () => abort.abort("enough"),
	}), /enough/);
	await echo(sdk, client, "after cancelling");
}

/* The connection breaks in mid-call; another asks for the rest. */
async function check_resume(sdk, stack, provider) {
	const broken = await connect(sdk, stack, provider);
	const resumed = { client: client_new(sdk) };
	let token, cut;
	const lost = sdk.call(broken.client, LONG_RUNNING, {
		onresumptiontoken: (t) => { token = t; },
		onprogress: () => { cut = true; },
	}).catch(() => "lost");

	await stream_of(stack, broken);
	await until("progress", () => cut && token);
	await broken.client.close();
	assert.equal(await lost, "lost");
	resumed.transport = transport_new(sdk, stack, provider,
	    { sessionId: broken.transport.sessionId });
	await resumed.client.connect(resumed.transport);
	await check_replay(sdk, stack, resumed, token);
	await leave(stack, resumed);
}

/* The server replays what it has when asked, so ask until it has all. */
async function check_replay(sdk, stack, session, token) {
	const mark = stack.record.all.length;
	const result = await until("the rest of the call", () =>
		sdk.call(session.client, LONG_RUNNING, {
			resumptionToken: token, timeout: 500,
		}).catch(() => null));

	assert.match(result.content[0].text, /completed/);
	const again = stack.record.mcp(mark).findLast((e) =>
		e.headers.get("last-event-id") === token);
	assert.equal(again.method, "GET");
	assert.equal(again.status, 200);
}

/* The ended session is unknown to the server, and the gateway says so. */
async function check_delete(stack, session, provider) {
	const id = session.transport.sessionId;
	const mark = stack.record.all.length;

	assert.ok(id);
	await leave(stack, session);
	const ended = stack.record.mcp(mark).find((e) =>
		e.method === "DELETE");
	assert.equal(ended.status, 200);
	const res = await stack.record.fetch(stack.url, {
		method: "POST",
		headers: {
			"authorization":
			    `Bearer ${provider.tokens().access_token}`,
			"content-type": "application/json",
			"accept": "application/json, text/event-stream",
			"mcp-session-id": id,
		},
		body: JSON.stringify(
		    { jsonrpc: "2.0", id: 1, method: "tools/list" }),
	});
	await res.text();
	assert.ok(res.status === 400 || res.status === 404,
	    `status ${res.status}`);
}

/* As often as each occurs: { key: number }. */
function tally(keys) {
	const counts = {};

	for (const key of keys)
		counts[key] = (counts[key] ?? 0) + 1;
	return counts;
}

/* What the audit log must say of a request that a client made. */
function expected_line(entry) {
	const claims = claims_of(entry);

	if (entry.status === 401)
		return claims ? "401 expired" : "401 missing";
	return [entry.status, "ok", audit_method(entry), claims.client_id,
	    "mcp:read"].join(" ");
}

function actual_line(line) {
	if (line.status === 401)
		return `401 ${line.auth_result}`;
	return [line.status, line.auth_result, line.method,
	    line.oauth_client_id, line.scopes].join(" ");
}

function check_audit(stack) {
	const text = fs.readFileSync(stack.audit, "utf8");
	const lines = text.trimEnd().split("\n").map((l) => JSON.parse(l));
	const requests = stack.record.mcp();

	assert.deepEqual(tally(lines.map(actual_line)),
	    tally(requests.map(expected_line)));
	for (const line of lines)
		check_line(line);
	for (const what of ["401 missing", "401 expired"])
		assert.ok(lines.some((l) => actual_line(l) === what), what);
	for (const entry of requests) {
		const token = entry.headers.get("authorization");

		assert.ok(!token || !text.includes(token.split(".")[2]),
		    "a token is in the audit log");
	}
}

function check_line(line) {
	const why = JSON.stringify(line);

	assert.match(line.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
	assert.ok(Number.isInteger(line.latency_ms), why);
	assert.equal(line.client_ip, "127.0.0.1", why);
	assert.ok(line.request_id, why);
	if (line.status === 401) {
		assert.equal(line.action, "deny", why);
		return;
	}
	assert.ok(["allow", "aborted"].includes(line.action), why);
	assert.equal(line.upstream, "everything", why);
	if (line.method === "tools/call") {
		assert.ok(line.session_id && line.tool, why);
		assert.equal(line.transport, "sse", why);
	}
	if (line.method === "GET" && line.status === 200)
		assert.equal(line.transport, "stream", why);
}

/* Define the tests of one generation. */
export function suite(sdk) {
	describe(`SDK ${sdk.name}`, () => {
		const c = { sdk, browser: new Browser() };
		let failed = false;
		const test = (name, run) => it(name, { timeout: 30000 },
		    () => Promise.resolve(run()).catch((err) => {
			failed = true;
			throw err;
		}));

		before(async () => { c.stack = await stack_start(); });
		after(async () => {
			if (c.stack === undefined)
				return;
			if (failed)
				stack_print(c.stack);
			await stack_stop(c.stack);
		});
		tests_of_user(test, c);
		tests_of_machine(test, c);
		tests_of_end(test, c);
	});
}

function tests_of_user(test, c) {
	test("registers and logs in by code and PKCE", async () => {
		c.provider = new CodeProvider(c.stack.redirect);
		c.session = await login(c.sdk, c.stack, c.provider, c.browser);
		await check_metadata(c.stack, check_discovery(c.stack, 0));
		assert.ok(c.stack.as.interactions > 0);
	});
	test("lists and calls tools", async () => {
		const { tools } = await c.session.client.listTools();

		assert.ok(tools.some((t) => t.name === "echo"));
		await echo(c.sdk, c.session.client, "hello");
		await echo(c.sdk, c.session.client, "\u00e4\u2028\"\\\u0000");
		await echo(c.sdk, c.session.client, "x".repeat(300000));
	});
	test("calls many tools at once", () => Promise.all(
	    Array.from({ length: 30 }, (_, n) =>
		echo(c.sdk, c.session.client, `call ${n}`))));
	test("gets progress while a tool runs", () =>
		check_progress(c.sdk, c.session.client));
	test("gets a notification on the GET stream", () =>
		check_stream(c.sdk, c.stack, c.session));
	test("cancels a call", () => check_cancel(c.sdk, c.session.client));
	test("resumes a broken stream with Last-Event-ID", () =>
		check_resume(c.sdk, c.stack, c.provider));
	if (c.sdk.negotiates)
		test("negotiates the protocol's revision", () =>
			check_negotiation(c.sdk, c.stack, c.provider));
	test("ends the session with DELETE", () =>
		check_delete(c.stack, c.session, c.provider));
	test("refreshes an expired token without the user", async () => {
		const provider = new CodeProvider(c.stack.redirect, {
			client_id: "desktop-short",
			issuer: c.stack.as.issuer,
		});
		const session = await login(c.sdk, c.stack, provider,
		    c.browser);
		const asked = c.stack.as.interactions;

		await call_when_expired(c.sdk, c.stack, session, provider,
		    "refresh_token");
		assert.equal(c.stack.as.interactions, asked);
		await leave(c.stack, session);
	});
}

function tests_of_machine(test, c) {
	const provider = (client) => new c.sdk.ClientCredentialsProvider({
		clientId: client,
		clientSecret: c.stack.as.secret,
		expectedIssuer: c.stack.as.issuer,
		scope: "mcp:read",
	});

	test("logs in by client_credentials with a secret", async () => {
		c.stack.as.token_alg = "RS256";
		const session = await connect(c.sdk, c.stack,
		    provider("machine"));

		await echo(c.sdk, session.client, "from a machine");
		await leave(c.stack, session);
	});
	test("logs in by client_credentials with a key", async () => {
		const session = await connect(c.sdk, c.stack,
		    new c.sdk.PrivateKeyJwtProvider({
			clientId: "machine-key",
			privateKey: c.stack.as.machine_key,
			algorithm: "ES256",
			expectedIssuer: c.stack.as.issuer,
			scope: "mcp:read",
		}));

		await echo(c.sdk, session.client, "from a machine");
		await leave(c.stack, session);
	});
	test("gets a new token by client_credentials", async () => {
		const short = provider("machine-short");
		const session = await connect(c.sdk, c.stack, short);

		await call_when_expired(c.sdk, c.stack, session, short,
		    "client_credentials");
		await leave(c.stack, session);
	});
}

function tests_of_end(test, c) {
	test("the gateway ends when told to", async () => {
		assert.equal(await c.stack.gateway.stop("SIGTERM"), "exit 0");
	});
	test("the audit log has one line for each request", () =>
		check_audit(c.stack));
}
