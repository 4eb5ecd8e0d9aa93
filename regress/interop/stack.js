/*
 * What the tests run against: authorization server, MCP server and gateway,
 * each on a free port, and a record of every HTTP request that a client made.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { as_start } from "./as.js";

const LOG_MAX = 2000;		/* lines kept of one program */
const SERVERS = {
	everything: [fileURLToPath(import.meta.resolve(
	    "@modelcontextprotocol/server-everything/dist/index.js")),
	    "streamableHttp"],
	reference: [path.join(import.meta.dirname, "reference.js")],
};
const TOP = path.resolve(import.meta.dirname, "../..");
const GATEWAY = process.env.MCPGW ?? path.join(
    path.resolve(TOP, process.env.O ?? "build"), "daemon/mcpgw");

const children = new Set();
const directories = new Set();

process.on("exit", () => {
	for (const child of children)
		child.kill("SIGKILL");
	for (const dir of directories)
		fs.rmSync(dir, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
	process.on(signal, () => process.exit(1));

/* Wait for a condition; what it gave.  Fails after seconds, and says what. */
export async function until(what, condition, seconds = 10) {
	const end = Date.now() + seconds * 1000;
	let got;

	while (!(got = await condition())) {
		if (Date.now() > end)
			throw new Error(`waited ${seconds} s: ${what}`);
		await delay(10);
	}
	return got;
}

/*
 * A free port outside the range that the kernel takes for connections, so that
 * none of them gets it before the program it is meant for.
 */
async function free_port() {
	for (;;) {
		const port = 15000 + Math.floor(Math.random() * 17000);
		const server = net.createServer();
		const free = await new Promise((done) => {
			server.on("error", () => done(false));
			server.listen(port, "127.0.0.1", () => done(true));
		});

		await new Promise((done) => server.close(done));
		if (free)
			return port;
	}
}

/* A program of ours, with the last of what it said. */
class Program {
	constructor(name, argv, env) {
		this.name = name;
		this.log = [];
		this.child = spawn(argv[0], argv.slice(1), {
			stdio: ["ignore", "pipe", "pipe"],
			env: { ...process.env, ...env },
		});
		children.add(this.child);
		this.child.on("error", (err) => this.#gone(err.message));
		this.child.on("exit", (code, signal) =>
			this.#gone(signal ?? `exit ${code}`));
		for (const stream of [this.child.stdout, this.child.stderr])
			stream.setEncoding("utf8").on("data", (text) =>
				this.#keep(text));
	}

	#keep(text) {
		this.log.push(...text.trimEnd().split("\n"));
		this.log.splice(0, this.log.length - LOG_MAX);
	}

	#gone(how) {
		this.end ??= how;
		children.delete(this.child);
	}

	async ready(url) {
		await until(`${this.name} at ${url}`, async () => {
			if (this.end !== undefined)
				throw new Error(`${this.name}: ${this.end}`);
			const res = await fetch(url).catch(() => null);
			await res?.body?.cancel();
			return res !== null && (res.ok ||
			    this.name !== "gateway");
		});
	}

	/* "exit 0", or how else it ended. */
	async stop(signal, seconds = 10) {
		if (this.end === undefined) {
			this.child.kill(signal);
			await until(`the end of ${this.name}`,
			    () => this.end !== undefined, seconds)
			    .catch(() => this.child.kill("SIGKILL"));
		}
		if (this.end === undefined) {
			await once(this.child, "exit");
			return `no end in ${seconds} s`;
		}
		return this.end;
	}
}

/* Every request that went through fetch, in order. */
class Record {
	constructor(mcp_url) {
		this.mcp_url = mcp_url;
		this.all = [];
		this.fetch = this.fetch.bind(this);
	}

	async fetch(input, init = {}) {
		/* A closed client may still try; nothing is sent then. */
		if (init.signal?.aborted)
			return fetch(input, init);
		const entry = {
			url: String(input),
			method: init.method ?? "GET",
			body: init.body,
			headers: new Headers(init.headers),
		};

		this.all.push(entry);
		const res = await fetch(input, init);
		entry.status = res.status;
		entry.challenge = res.headers.get("www-authenticate");
		entry.type = res.headers.get("content-type");
		return res;
	}

	/* Those after a mark (all.length at some time), on the MCP route. */
	mcp(mark = 0) {
		return this.all.slice(mark).filter((e) =>
			e.url === this.mcp_url);
	}

	/* grant_type of the token requests after a mark. */
	grants(mark = 0) {
		return this.all.slice(mark).filter((e) =>
			e.method === "POST" && e.url.endsWith("/token"))
		    .map((e) => new URLSearchParams(e.body).get("grant_type"));
	}
}

/* What the audit log calls the method of a request. */
export function audit_method(entry) {
	if (entry.method !== "POST")
		return entry.method;
	return JSON.parse(entry.body).method ?? "response";
}

/* Claims of the access token of a request, undefined without one. */
export function claims_of(entry) {
	const token = entry.headers.get("authorization")?.split(" ")[1];

	return token && JSON.parse(
	    Buffer.from(token.split(".")[1], "base64url"));
}

function gateway_config(stack, port, upstream_port) {
	const auth = stack.open ? "enabled: false" : `enabled: true
  oauth:
    enabled: true
    issuer: "${stack.as.issuer}"
    audience: "${stack.url}"
    jwks_url: "${stack.as.jwks_url}"
    required_scopes:
      - mcp:read
    leeway: 0s
    public_url: "${stack.url}"
  keys: []`;

	return `listen: 127.0.0.1:${port}
user: nobody
pid_file: ${stack.dir}/mcpgw.pid
workers: 2
limits:
  max_connections: 128
audit:
  path: ${stack.audit}
upstreams:
  - name: everything
    url: http://127.0.0.1:${upstream_port}/mcp
${stack.admin ? admin_config(stack.admin) : ""}
default_upstream: everything
auth:
  ${auth}
${stack.revisions ? `mcp:
  revisions: ${JSON.stringify(stack.revisions)}` : ""}
${stack.traces ? `telemetry:
  customer:
    enabled: true
    endpoint: ${stack.traces}` : ""}
`;
}

/* Goes after the list of upstreams, for one more of them: nobody is there. */
const admin_config = (admin) => `  - name: gone
    url: http://127.0.0.1:${admin.nobody}/mcp
admin:
  listen: 127.0.0.1:${admin.port}
  token_file: ${admin.token_file}`;

/* The monitor's door for a gateway of the stack, which asks for a token. */
async function admin_new(dir) {
	const admin = {
		port: await free_port(),
		nobody: await free_port(),
		token: randomBytes(24).toString("base64url"),
		token_file: `${dir}/admin.token`,
	};

	admin.url = `http://127.0.0.1:${admin.port}/`;
	fs.writeFileSync(admin.token_file, `${admin.token}\n`,
	    { mode: 0o600 });
	return admin;
}

async function stack_run(stack) {
	const port = await free_port();
	const upstream_port = await free_port();
	const config = `${stack.dir}/mcpgw.yaml`;

	stack.url = `http://127.0.0.1:${port}/mcp`;
	stack.upstream_url = `http://127.0.0.1:${upstream_port}/mcp`;
	stack.record = new Record(stack.url);
	stack.as = await as_start(stack.redirect, () => stack.url);
	stack.server = new Program("server",
	    [process.execPath, ...SERVERS[stack.server_name]],
	    { PORT: String(upstream_port) });
	await stack.server.ready(`http://127.0.0.1:${upstream_port}/mcp`);
	fs.writeFileSync(config, gateway_config(stack, port, upstream_port));
	stack.gateway = new Program("gateway", [GATEWAY, "-d", "-f", config],
	    { OTEL_BSP_SCHEDULE_DELAY: "50" });
	await stack.gateway.ready(`http://127.0.0.1:${port}/readyz`);
}

/*
 * Everything runs and answers when this returns.  open: the gateway asks
 * nobody for a token; server: "everything" or "reference"; revisions: a list
 * for mcp.revisions; traces: who is to get them; admin: the numbers are at
 * stack.admin.url, for who has stack.admin.token, and an upstream "gone" does
 * not answer.
 */
export async function stack_start({ open = false, server = "everything",
    revisions, traces, admin = false } = {}) {
	const stack = {
		open,
		server_name: server,
		revisions,
		traces,
		dir: fs.mkdtempSync(path.join(os.tmpdir(), "interop-")),
		/* nobody listens there, the browser stops before it */
		redirect: `http://127.0.0.1:${await free_port()}/callback`,
	};

	directories.add(stack.dir);
	stack.audit = `${stack.dir}/audit.jsonl`;
	stack.admin = admin ? await admin_new(stack.dir) : undefined;
	try {
		await stack_run(stack);
	} catch (err) {
		stack_print(stack);
		await stack_stop(stack);
		throw err;
	}
	return stack;
}

export async function stack_stop(stack) {
	await stack.gateway?.stop("SIGTERM");
	await stack.server?.stop("SIGTERM");
	stack.as?.stop();
	fs.rmSync(stack.dir, { recursive: true });
	directories.delete(stack.dir);
}

/* An access token for the gateway, of a client that needs no user. */
export async function token_for(stack, client_id) {
	const res = await fetch(`${stack.as.issuer}/token`, {
		method: "POST",
		headers: { Authorization: "Basic " + Buffer.from(
		    `${client_id}:${stack.as.secret}`).toString("base64") },
		body: new URLSearchParams({ grant_type: "client_credentials",
		    scope: "mcp:read", resource: stack.url }),
	});
	const answer = await res.json();

	if (answer.access_token === undefined)
		throw new Error(`no token: ${JSON.stringify(answer)}`);
	return answer.access_token;
}

/* The last of what all said, after a failure. */
export function stack_print(stack) {
	const section = (name, lines) =>
		console.error(`---- ${name}\n${lines.join("\n")}`);

	section("gateway", stack.gateway?.log ?? []);
	section("authorization server", stack.as?.log ?? []);
	section("MCP server", stack.server?.log ?? []);
	section("requests of the clients", (stack.record?.all ?? []).map((e) =>
		`${e.method} ${e.url} ${e.status} ${e.challenge ?? ""} ` +
		(e.url === stack.url ? e.body ?? "" : "")));
	if (fs.existsSync(stack.audit))
		section("audit log", [fs.readFileSync(stack.audit, "utf8")]);
}
