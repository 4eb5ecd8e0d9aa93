/*
 * The authorization server: oidc-provider with resource indicators, so that
 * access tokens are JWTs whose audience is the gateway, dynamic client
 * registration, and a user who is always willing (interactions end at once).
 */
import { once } from "node:events";
import { generateKeyPairSync } from "node:crypto";
import http from "node:http";

export const SHORT_TTL = 3;	/* seconds, for clients named *-short */
const LONG_TTL = 300;
const SECRET = "interop-secret-of-a-machine-0123456789";

/* What oidc-provider says of a set-up that is a test's goes to its log. */
function keep_notices(log) {
	for (const name of ["info", "warn"]) {
		const say = console[name];

		console[name] = (...args) => /oidc-provider/.test(args[0]) ?
		    log.push(args[0]) : say(...args);
	}
}

function jwk(key, more) {
	return { ...key.export({ format: "jwk" }), ...more };
}

function signing_keys() {
	const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
	const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });

	return [
		jwk(rsa.privateKey, { kid: "r1", alg: "RS256", use: "sig" }),
		jwk(ec.privateKey, { kid: "e1", alg: "ES256", use: "sig" }),
	];
}

/* What has to be known to the server before it starts. */
function known_clients(machine_key, redirect) {
	const machine = {
		redirect_uris: [],
		response_types: [],
		grant_types: ["client_credentials"],
		scope: "mcp:read",
	};

	return [{
		client_id: "desktop-short",
		application_type: "native",
		token_endpoint_auth_method: "none",
		redirect_uris: [redirect],
		response_types: ["code"],
		grant_types: ["authorization_code", "refresh_token"],
	}, {
		...machine,
		client_id: "machine",
		client_secret: SECRET,
	}, {
		...machine,
		client_id: "machine-short",
		client_secret: SECRET,
	}, {
		...machine,
		client_id: "machine-key",
		token_endpoint_auth_method: "private_key_jwt",
		token_endpoint_auth_signing_alg: "ES256",
		jwks: { keys: [jwk(machine_key.publicKey, { kid: "m1" })] },
	}];
}

/* resource() gives the gateway's URL, which is chosen later. */
function configuration(as, redirect, machine_key, resource) {
	return {
		clients: known_clients(machine_key, redirect),
		jwks: { keys: signing_keys() },
		cookies: { keys: ["interop"] },
		scopes: ["openid", "offline_access", "mcp:read"],
		pkce: { required: () => true },
		/* SDK 1.x does not ask for offline_access. */
		issueRefreshToken: (ctx, client) =>
			client.grantTypeAllowed("refresh_token"),
		interactions: {
			url: (ctx, interaction) =>
				`/interaction/${interaction.uid}`,
		},
		findAccount: (ctx, sub) => ({
			accountId: sub,
			claims: () => ({ sub }),
		}),
		features: {
			devInteractions: { enabled: false },
			registration: { enabled: true },
			clientCredentials: { enabled: true },
			resourceIndicators: {
				enabled: true,
				getResourceServerInfo: (ctx, name, client) => {
					if (name !== resource())
						throw new Error(
						    `unknown resource ${name}`);
					return {
						scope: "mcp:read",
						audience: name,
						accessTokenFormat: "jwt",
						accessTokenTTL: ttl_of(client),
						jwt: { sign: {
							alg: as.token_alg,
						} },
					};
				},
				useGrantedResource: () => true,
			},
		},
	};
}

function ttl_of(client) {
	return client.clientId.endsWith("-short") ? SHORT_TTL : LONG_TTL;
}

/* Log in and consent on behalf of the user; the browser is sent on. */
async function interact(as, provider, req, res) {
	const { session, params, grantId } =
	    await provider.interactionDetails(req, res);
	const accountId = session?.accountId ?? "alice";
	const grant = (grantId && await provider.Grant.find(grantId)) ||
	    new provider.Grant({ accountId, clientId: params.client_id });

	as.interactions++;
	grant.addOIDCScope("openid offline_access mcp:read");
	grant.addResourceScope(params.resource, "mcp:read");
	await provider.interactionFinished(req, res, {
		login: { accountId },
		consent: { grantId: await grant.save() },
	}, { mergeWithLastSubmission: true });
}

/*
 * Start on a free port.  The object tells the issuer, the client credentials
 * and how often the user had to do something.
 */
export async function as_start(redirect, resource) {
	const machine_key = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const as = {
		interactions: 0,
		token_alg: "ES256",
		log: [],
		secret: SECRET,
		machine_key: machine_key.privateKey.export({
			type: "pkcs8", format: "pem",
		}),
	};
	const server = http.createServer();

	keep_notices(as.log);
	const { default: Provider } = await import("oidc-provider");

	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	as.issuer = `http://127.0.0.1:${server.address().port}`;

	const provider = new Provider(as.issuer,
	    configuration(as, redirect, machine_key, resource));
	const serve = provider.callback();

	for (const event of ["server_error", "grant.error",
	    "authorization.error", "registration_create.error"])
		provider.on(event, (ctx, err) => as.log.push(
		    `${event}: ${err.stack} ${err.error_description ?? ""}`));
	server.on("request", (req, res) => {
		res.on("finish", () => as.log.push(
		    `${req.method} ${req.url} ${res.statusCode}`));
		if (!req.url.startsWith("/interaction/"))
			serve(req, res);
		else
			interact(as, provider, req, res).catch((err) => {
				as.log.push(`interaction: ${err.stack}`);
				res.writeHead(500).end();
			});
	});
	as.jwks_url = `${as.issuer}/jwks`;
	as.stop = () => {
		server.closeAllConnections();
		server.close();
	};
	return as;
}
