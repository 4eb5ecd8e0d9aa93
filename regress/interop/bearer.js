/*
 * For node --import: put $BEARER in each request to $BEARER_HOST, by whatever
 * way a program makes it.
 */
import diagnostics_channel from "node:diagnostics_channel";

const { BEARER, BEARER_HOST } = process.env;

diagnostics_channel.subscribe("undici:request:create", ({ request }) => {
	if (new URL(request.origin).host === BEARER_HOST)
		request.addHeader("Authorization", `Bearer ${BEARER}`);
});
diagnostics_channel.subscribe("http.client.request.created", ({ request }) => {
	const hosts = [`${request.host}:${request.port ?? ""}`,
	    request.getHeader("Host")];

	if (hosts.includes(BEARER_HOST))
		request.setHeader("Authorization", `Bearer ${BEARER}`);
});
