/*
 * What the gateway sends as traces is what OpenTelemetry's own protobuf JSON
 * knows, every field of it, and its attributes are those of the conventions.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import zlib from "node:zlib";
import { stack_print, stack_start, stack_stop, token_for, until }
    from "./stack.js";

const require = createRequire(import.meta.url);
const root = require(path.join(path.dirname(require.resolve(
    "@opentelemetry/otlp-transformer/package.json")),
    "build/src/generated/root.js"));
const Request = root.opentelemetry.proto.collector.trace.v1
    .ExportTraceServiceRequest;
const transformer = createRequire(require.resolve(
    "@opentelemetry/otlp-transformer/package.json"));
const conventions = new Set(Object.values(transformer(
    "@opentelemetry/semantic-conventions/incubating"))
    .filter((v) => typeof v === "string"));

/* Those of the gateway's own and of the original's, which no convention has. */
const OWN = /^mcp\.(method|tool\.name|transport|upstream|policy\..*|auth\..*|payload\..*|error\.kind|request\.id|stage)$/;

const T = "0af7651916cd43dd8448eb211c80319c";
const S = "b7ad6b7169203331";

/* As receivers do: ids in hexadecimal are bytes, the rest is protobuf's. */
function decode(text) {
	const json = JSON.parse(text);
	const message = Request.fromObject(json);

	assert.equal(Request.verify(message), null);
	const back = Request.decode(Request.encode(message).finish());
	/* what it does not know, or takes for another type, is not there */
	assert.deepEqual(Request.toObject(back,
	    { longs: String, bytes: String }), json);
	return json.resourceSpans.flatMap((r) =>
		r.scopeSpans.flatMap((s) => s.spans));
}

describe("traces", () => {
	const spans = [];
	let receiver, stack, token;

	before(async () => {
		receiver = http.createServer(async (req, res) => {
			const parts = [];

			for await (const part of req)
				parts.push(part);
			const text = zlib.gunzipSync(Buffer.concat(parts));

			spans.push(...decode(text.toString()));
			res.setHeader("Content-Type", "application/json");
			res.end(JSON.stringify({ partialSuccess: {} }));
		}).listen(0, "127.0.0.1");
		await once(receiver, "listening");
		stack = await stack_start({ traces:
		    `127.0.0.1:${receiver.address().port}` });
		token = await token_for(stack, "machine");
	});
	after(async () => {
		await stack_stop(stack);
		receiver.close();
	});

	async function ask(message, headers = {}) {
		const res = await fetch(stack.url, {
			method: "POST",
			headers: { "Content-Type": "application/json",
			    Accept: "application/json, text/event-stream",
			    Authorization: `Bearer ${token}`, ...headers },
			body: JSON.stringify({ jsonrpc: "2.0", ...message }),
		});

		await res.text();
		return res;
	}

	it("every field is known, and every attribute", async () => {
		const init = await ask({ id: "i\"1", method: "initialize",
		    params: { protocolVersion: "2025-06-18", capabilities: {},
		    clientInfo: { name: "t", version: "1" },
		    _meta: { traceparent: `00-${T}-${S}-01` } } },
		    { traceparent: `00-${T}-${S.replace("b", "c")}-01`,
		      tracestate: "a=1" });
		const session = { "mcp-session-id":
		    init.headers.get("mcp-session-id"),
		    "mcp-protocol-version": "2025-06-18" };

		await ask({ method: "notifications/initialized" }, session);
		await ask({ id: 2, method: "tools/call", params: {
		    name: "echo", arguments: { message: "x" } } }, session);
		await ask({ id: 3, method: "tools/call", params: {
		    name: "none", arguments: {} } }, session);
		await ask({ id: 4, method: "prompts/get", params: {
		    name: "none" } }, session);
		await ask({ id: 5, method: "ping" }, { Authorization: "" });
		await until("the spans of all", () => spans.filter((s) =>
			s.kind === 2).length === 6).catch((err) => {
			stack_print(stack);
			throw err;
		});
		const names = new Set(spans.flatMap((s) =>
			s.attributes.map((a) => a.key)));

		for (const name of names)
			assert.ok(conventions.has(name) || OWN.test(name),
			    `${name} is in no convention`);
		for (const name of ["mcp.method.name", "error.type",
		    "gen_ai.tool.name", "gen_ai.prompt.name",
		    "gen_ai.operation.name", "jsonrpc.request.id",
		    "mcp.protocol.version", "mcp.session.id",
		    "client.address", "server.address", "server.port",
		    "network.transport", "network.protocol.name",
		    "network.protocol.version", "rpc.response.status_code",
		    "http.response.status_code"])
			assert.ok(names.has(name) && conventions.has(name),
			    `${name} is missing`);
		const root = spans.find((s) => s.parentSpanId === S);

		assert.equal(root.traceId, T);
		assert.equal(root.links.length, 1);
		assert.equal(spans.filter((s) => s.kind === 3).length, 5);
	});
});
