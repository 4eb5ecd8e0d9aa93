/*
 * An MCP server for the conformance suite: the tools, resources and prompts
 * that its scenarios ask for, of all revisions (with sessions up to
 * 2025-11-25, without since 2026-07-28).  Listens on $PORT.
 */
import { randomBytes, randomUUID } from "node:crypto";
import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { localhostHostValidation, localhostOriginValidation,
    NodeStreamableHTTPServerTransport, toNodeHandler }
    from "@modelcontextprotocol/node";
import { acceptedContent, classifyInboundRequest, CLIENT_CAPABILITIES_META_KEY,
    createMcpHandler, createRequestStateCodec, fromJsonSchema, inputRequired,
    isInitializeRequest, McpServer, ResourceTemplate }
    from "@modelcontextprotocol/server";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAA" +
    "AgAB5Sfe/AAAAABJRU5ErkJggg==";
const WAV = Buffer.concat([Buffer.from("RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0" +
    "\x01\0@\x1f\0\0@\x1f\0\0\x01\0\x08\0data\0\0\0\0", "latin1")])
    .toString("base64");
const NOTHING = { type: "object", properties: {} };
const CACHED = { ttlMs: 1000, cacheScope: "private" };

const codec = createRequestStateCodec({ key: randomBytes(32) });
const sessions = new Map();

const text = (s) => ({ type: "text", text: s });
const image = { type: "image", data: PNG, mimeType: "image/png" };
const embedded = (uri, mimeType, s) =>
	({ type: "resource", resource: { uri, mimeType, text: s } });
const said = (s) => ({ content: [text(s)] });

function object_of(properties) {
	return { type: "object", properties,
	    required: Object.keys(properties) };
}

/* What tools ask of the user, the model or the client (2026-07-28): the
 * request, and what is taken from a good answer. */

function elicit(message, name, type) {
	return {
		capability: "elicitation",
		request: inputRequired.elicit({ message,
		    requestedSchema: object_of({ [name]: { type } }) }),
		take: (all, key) => acceptedContent(all, key)?.[name],
	};
}

function sample(question, maxTokens) {
	return {
		capability: "sampling",
		request: inputRequired.createMessage({ maxTokens,
		    messages: [{ role: "user", content: text(question) }] }),
		take: (all, key) => all[key]?.content?.text,
	};
}

const QUESTIONS = {
	user_name: elicit("What is your name?", "name", "string"),
	user_context: elicit("What context should the prompt use?", "context",
	    "string"),
	confirm: elicit("Please confirm", "ok", "boolean"),
	step1: elicit("Step 1: What is your name?", "name", "string"),
	step2: elicit("Step 2: What is your favorite color?", "color",
	    "string"),
	capital_question: sample("What is the capital of France?", 100),
	greeting: sample("Generate a greeting", 50),
	client_roots: {
		capability: "roots",
		request: inputRequired.listRoots(),
		take: (all, key) => all[key]?.roots?.map((r) => r.uri).join(),
	},
};

/*
 * Ask for the keys of each round until all are answered; null then, with the
 * answers in got.  With a state, only who brings it back gets on.
 */
async function ask(ctx, rounds, with_state, got) {
	const state = ctx.mcpReq.requestState();
	const all = ctx.mcpReq.inputResponses ?? {};
	let round = state?.round ?? 0;

	Object.assign(got, state?.got);
	if (state !== undefined || !with_state) {
		for (const key of rounds[round])
			got[key] = QUESTIONS[key].take(all, key);
		if (rounds[round].every((key) => got[key] !== undefined))
			round++;
	}
	if (round === rounds.length)
		return null;
	return inputRequired({
		inputRequests: Object.fromEntries(rounds[round].map((key) =>
			[key, QUESTIONS[key].request])),
		requestState: with_state ?
		    await codec.mint({ round, got, once: randomUUID() }) :
		    undefined,
	});
}

const asker = (rounds, with_state, done) => async (args, ctx) => {
	const got = {};

	return await ask(ctx, rounds, with_state, got) ?? said(done(got));
};

/* Of what could be asked, that which the client says it can answer. */
async function ask_capable(args, ctx) {
	const can = ctx.mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
	const keys = ["user_name", "greeting", "client_roots"].filter((key) =>
		QUESTIONS[key].capability in can);

	if (keys.length === 0)
		return said("nobody to ask");
	return await ask(ctx, [keys], false, {}) ?? said("asked");
}

/* Requests of the server's to the client, in sessions. */

async function ask_model(args, ctx) {
	const r = await ctx.mcpReq.send({
		method: "sampling/createMessage",
		params: { maxTokens: 100, messages: [{ role: "user",
		    content: text(args.prompt) }] },
	});

	return said(`LLM response: ${r.content.text}`);
}

const ask_user = (how, schema) => async (args, ctx) => {
	const r = await ctx.mcpReq.send({
		method: "elicitation/create",
		params: { message: args.message ?? "Please fill in",
		    requestedSchema: schema },
	});

	return said(how(r.action, JSON.stringify(r.content)));
};

const completed = (action, content) =>
	`Elicitation completed: action=${action}, content=${content}`;

const DEFAULTS = {
	type: "object",
	properties: {
		name: { type: "string", default: "John Doe" },
		age: { type: "integer", default: 30 },
		score: { type: "number", default: 95.5 },
		status: { type: "string", default: "active",
		    enum: ["active", "inactive", "pending"] },
		verified: { type: "boolean", default: true },
	},
};

const titled = (prefix, titles) => titles.map((title, n) =>
	({ const: `${prefix}${n + 1}`, title }));

const ENUMS = {
	type: "object",
	properties: {
		untitledSingle: { type: "string",
		    enum: ["option1", "option2", "option3"] },
		titledSingle: { type: "string", oneOf: titled("value",
		    ["First Option", "Second Option", "Third Option"]) },
		legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"],
		    enumNames: ["Option One", "Option Two", "Option Three"] },
		untitledMulti: { type: "array", items: { type: "string",
		    enum: ["option1", "option2", "option3"] } },
		titledMulti: { type: "array", items: { anyOf: titled("value",
		    ["First Choice", "Second Choice", "Third Choice"]) } },
	},
};

const KEYWORDS = {
	$schema: "https://json-schema.org/draft/2020-12/schema",
	type: "object",
	$defs: { address: {
		$anchor: "addressDef",
		type: "object",
		properties: { street: { type: "string" },
		    city: { type: "string" } },
	} },
	properties: {
		name: { type: "string" },
		address: { $ref: "#/$defs/address" },
		contactMethod: { type: "string", enum: ["phone", "email"] },
		phone: { type: "string" },
		email: { type: "string" },
	},
	allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
	if: { properties: { contactMethod: { const: "phone" } },
	    required: ["contactMethod"] },
	then: { required: ["phone"] },
	else: { required: ["email"] },
	additionalProperties: false,
};

/* While a tool runs. */

async function log(args, ctx) {
	for (const data of ["Tool execution started", "Tool processing data",
	    "Tool execution completed"]) {
		await ctx.mcpReq.notify({ method: "notifications/message",
		    params: { level: "info", data } });
		await delay(50);
	}
	return said("logged");
}

async function progress(args, ctx) {
	const progressToken = ctx.mcpReq._meta?.progressToken;

	for (const done of [0, 50, 100]) {
		if (progressToken !== undefined)
			await ctx.mcpReq.notify({
				method: "notifications/progress",
				params: { progressToken, progress: done,
				    total: 100 },
			});
		await delay(50);
	}
	return said("done");
}

/* The client comes back with Last-Event-ID for the answer. */
async function hang_up(args, ctx) {
	sessions.get(ctx.sessionId)?.closeSSEStream(ctx.mcpReq.id);
	await delay(100);
	return said("here again");
}

const fail = () => {
	throw new Error("This tool intentionally returns an error for testing");
};

/* name: what it answers, or [function, schema of its arguments] */
const TOOLS = {
	test_simple_text: said("This is a simple text response for testing."),
	test_image_content: { content: [image] },
	test_audio_content: { content: [{ type: "audio", data: WAV,
	    mimeType: "audio/wav" }] },
	test_embedded_resource: { content: [embedded("test://embedded-resource",
	    "text/plain", "This is an embedded resource content.")] },
	test_multiple_content_types: { content: [
		text("Multiple content types test:"), image,
		embedded("test://mixed-content-resource", "application/json",
		    '{"test":"data","value":123}'),
	] },
	test_error_handling: [fail],
	test_tool_with_logging: [log],
	test_tool_with_progress: [progress],
	test_reconnection: [hang_up],
	test_sampling: [ask_model, object_of({ prompt: { type: "string" } })],
	test_elicitation: [ask_user((action, content) =>
		`User response: action=${action}, content=${content}`,
	    object_of({
		username: { type: "string", description: "User's response" },
		email: { type: "string",
		    description: "User's email address" },
	    })), object_of({ message: { type: "string" } })],
	test_elicitation_sep1034_defaults: [ask_user(completed, DEFAULTS)],
	test_elicitation_sep1330_enums: [ask_user(completed, ENUMS)],
	json_schema_2020_12_tool: [() => said("valid"), KEYWORDS],
	test_x_mcp_header: [(args) => said(`region=${args.region}`), {
		type: "object",
		properties: {
			region: { type: "string", "x-mcp-header": "Region" },
			level: { type: "integer" },
		},
	}],
	test_missing_capability: [asker([["greeting"]], false, () => "asked")],
	test_streaming_elicitation: said("no requests here"),
	test_logging_tool: [async (args, ctx) => {
		await ctx.mcpReq.log("info", "for who asked for it");
		return said("logged");
	}],
	test_trigger_tool_change: [() => {
		stateless.notify.toolsChanged();
		return said("told");
	}],
	test_trigger_prompt_change: [() => {
		stateless.notify.promptsChanged();
		return said("told");
	}],
	test_input_required_result_elicitation: [asker([["user_name"]], false,
	    (got) => `Hello, ${got.user_name}!`)],
	test_input_required_result_sampling: [asker([["capital_question"]],
	    false, (got) => got.capital_question)],
	test_input_required_result_list_roots: [asker([["client_roots"]],
	    false, (got) => got.client_roots)],
	test_input_required_result_request_state: [asker([["confirm"]], true,
	    () => "state-ok")],
	test_input_required_result_multiple_inputs: [asker(
	    [["user_name", "greeting", "client_roots"]], true, (got) =>
		`${got.greeting}, ${got.user_name}: ${got.client_roots}`)],
	test_input_required_result_multi_round: [asker([["step1"], ["step2"]],
	    true, (got) => `${got.step1} likes ${got.step2}`)],
	test_input_required_result_tampered_state: [asker([["confirm"]], true,
	    () => "state-ok")],
	test_input_required_result_capabilities: [ask_capable],
};

const from_user = (...content) =>
	({ messages: content.map((c) => ({ role: "user", content: c })) });

/* name: [names of arguments, function] */
const PROMPTS = {
	test_simple_prompt: [[], () =>
		from_user(text("This is a simple prompt for testing."))],
	test_prompt_with_arguments: [["arg1", "arg2"], (args) =>
		from_user(text("Prompt with arguments: " +
		    `arg1='${args.arg1}', arg2='${args.arg2}'`))],
	test_prompt_with_embedded_resource: [["resourceUri"], (args) =>
		from_user(embedded(args.resourceUri, "text/plain",
		    "Embedded resource content for testing."),
		    text("Please process the embedded resource above."))],
	test_prompt_with_image: [[], () =>
		from_user(image, text("Please analyze the image above."))],
	test_input_required_result_prompt: [[], async (ctx) => {
		const got = {};

		return await ask(ctx, [["user_context"]], false, got) ??
		    from_user(text(got.user_context));
	}],
};

/* uri: what its contents are besides the uri */
const RESOURCES = {
	"test://static-text": { mimeType: "text/plain",
	    text: "This is the content of the static text resource." },
	"test://static-binary": { mimeType: "image/png", blob: PNG },
	"test://watched-resource": { mimeType: "text/plain", text: "watched" },
};

function add_tools(mcp) {
	for (const [name, what] of Object.entries(TOOLS)) {
		const [run, schema] = Array.isArray(what) ? what :
		    [() => what];

		mcp.registerTool(name, {
			description: `The suite's ${name}`,
			inputSchema: fromJsonSchema(schema ?? NOTHING),
		}, run);
	}
}

function add_resources(mcp) {
	for (const [uri, what] of Object.entries(RESOURCES))
		mcp.registerResource(uri, uri, { description: uri,
		    mimeType: what.mimeType, cacheHint: CACHED },
		    () => ({ contents: [{ uri, ...what }] }));
	mcp.registerResource("template",
	    new ResourceTemplate("test://template/{id}/data",
	    { list: undefined }), { description: "By id",
	    mimeType: "application/json", cacheHint: CACHED },
	    (uri, { id }) => ({ contents: [{
		uri: uri.href,
		mimeType: "application/json",
		text: JSON.stringify({ id, templateTest: true,
		    data: `Data for ID: ${id}` }),
	    }] }));
	for (const method of ["resources/subscribe", "resources/unsubscribe"])
		mcp.server.setRequestHandler(method, () => ({}));
}

function add_prompts(mcp) {
	for (const [name, [args, run]] of Object.entries(PROMPTS))
		mcp.registerPrompt(name, {
			description: `The suite's ${name}`,
			argsSchema: args.length === 0 ? undefined :
			    fromJsonSchema(object_of(Object.fromEntries(
			    args.map((a) => [a, { type: "string" }])))),
		}, run);
}

function server_new() {
	const listChanged = true;
	const mcp = new McpServer({ name: "reference", version: "1" }, {
		capabilities: { logging: {}, completions: {},
		    tools: { listChanged }, prompts: { listChanged },
		    resources: { subscribe: true, listChanged } },
		requestState: { verify: codec.verify },
	});

	add_tools(mcp);
	add_resources(mcp);
	add_prompts(mcp);
	mcp.server.setRequestHandler("logging/setLevel", () => ({}));
	mcp.server.setRequestHandler("completion/complete", () =>
		({ completion: { values: [], total: 0, hasMore: false } }));
	return mcp;
}

/* Events of one session, for who comes back: ids are "stream/number". */
function events_new() {
	const events = [];

	return {
		storeEvent(stream, message) {
			return `${stream}/${events.push({ stream, message })}`;
		},
		async replayEventsAfter(last, { send }) {
			const cut = last.lastIndexOf("/");
			const stream = last.slice(0, cut);

			for (let n = Number(last.slice(cut + 1));
			    n < events.length; n++)
				if (events[n].stream === stream &&
				    "jsonrpc" in events[n].message)
					await send(`${stream}/${n + 1}`,
					    events[n].message);
			return stream;
		},
	};
}

async function session_new() {
	const transport = new NodeStreamableHTTPServerTransport({
		sessionIdGenerator: randomUUID,
		eventStore: events_new(),
		retryInterval: 500,
		onsessioninitialized: (id) => sessions.set(id, transport),
	});

	transport.onclose = () => sessions.delete(transport.sessionId);
	await server_new().connect(transport);
	return transport;
}

const stateless = createMcpHandler(server_new);
const stateless_node = toNodeHandler(stateless);

async function body_of(req) {
	const parts = await req.toArray();

	try {
		return JSON.parse(Buffer.concat(parts));
	} catch {
		return null;
	}
}

function refuse(res, status, message) {
	res.writeHead(status, { "Content-Type": "application/json" });
	res.end(JSON.stringify({ jsonrpc: "2.0", id: null,
	    error: { code: -32000, message } }));
}

async function serve(req, res) {
	const body = req.method === "POST" ? await body_of(req) : undefined;
	const id = req.headers["mcp-session-id"];

	if (classifyInboundRequest({
		httpMethod: req.method,
		protocolVersionHeader: req.headers["mcp-protocol-version"],
		mcpMethodHeader: req.headers["mcp-method"],
		body,
	}).kind !== "legacy")
		return stateless_node(req, res, body);
	if (sessions.has(id))
		return sessions.get(id).handleRequest(req, res, body);
	if (id !== undefined)
		return refuse(res, 404, "unknown session");
	if (!isInitializeRequest(body))
		return refuse(res, 400, "no session");
	return (await session_new()).handleRequest(req, res, body);
}

const host_ok = localhostHostValidation();
const origin_ok = localhostOriginValidation();

http.createServer((req, res) => {
	if (host_ok(req, res) && origin_ok(req, res))
		serve(req, res).catch((err) => {
			console.error(err);
			res.destroy();
		});
}).listen(Number(process.env.PORT), "127.0.0.1");
