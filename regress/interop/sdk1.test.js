/* SDK 1.x, one package. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from
    "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { StreamableHTTPClientTransport } from
    "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from
    "@modelcontextprotocol/sdk/types.js";
import { suite } from "./suite.js";

suite({
	name: "1.x",
	negotiates: false,
	Client,
	Transport: StreamableHTTPClientTransport,
	ClientCredentialsProvider,
	PrivateKeyJwtProvider,
	UnauthorizedError,
	on_log: (client, handler) => client.setNotificationHandler(
	    LoggingMessageNotificationSchema, (n) => handler(n.params)),
	call: (client, params, options) =>
		client.callTool(params, undefined, options),
	finish: (transport, params) =>
		transport.finishAuth(params.get("code")),
});
