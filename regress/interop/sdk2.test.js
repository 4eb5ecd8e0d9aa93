/* SDK 2.x, the client's package. */
import { Client, ClientCredentialsProvider, PrivateKeyJwtProvider,
    StreamableHTTPClientTransport, UnauthorizedError } from
    "@modelcontextprotocol/client";
import { suite } from "./suite.js";

suite({
	name: "2.x",
	negotiates: true,
	Client,
	Transport: StreamableHTTPClientTransport,
	ClientCredentialsProvider,
	PrivateKeyJwtProvider,
	UnauthorizedError,
	on_log: (client, handler) => client.setNotificationHandler(
	    "notifications/message", (n) => handler(n.params)),
	call: (client, params, options) => client.callTool(params, options),
	finish: (transport, params) => transport.finishAuth(params),
});
