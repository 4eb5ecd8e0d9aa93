/*
 * The client's side of a login: what an application keeps for the SDK, and a
 * user's browser without a user, which follows redirects and keeps cookies.
 */
import { randomUUID } from "node:crypto";

const MAX_REDIRECTS = 20;

/* A browser; one of them is one signed-in user. */
export class Browser {
	#cookies = new Map();

	/* Go where the application sends us; the callback's parameters. */
	async visit(url, callback) {
		let next = new URL(url);

		for (let n = 0; n < MAX_REDIRECTS; n++) {
			if (next.href.startsWith(`${callback}?`))
				return next.searchParams;
			next = await this.#step(next);
		}
		throw new Error(`no end of redirects at ${next}`);
	}

	async #step(url) {
		const res = await fetch(url, {
			redirect: "manual",
			headers: { cookie: this.#header() },
		});
		const location = res.headers.get("location");

		for (const line of res.headers.getSetCookie())
			this.#keep(line);
		if (location === null)
			throw new Error(`${url}: ${res.status}, no redirect: ` +
			    await res.text());
		await res.body?.cancel();
		return new URL(location, url);
	}

	#header() {
		return [...this.#cookies].map((c) => c.join("=")).join("; ");
	}

	#keep(line) {
		const [, name, value] = line.match(/^([^=]*)=([^;]*)/);

		if (value === "")
			this.#cookies.delete(name);
		else
			this.#cookies.set(name, value);
	}
}

/*
 * What the SDKs call an OAuthClientProvider, for authorization code with PKCE.
 * Both generations take it.  client is known beforehand, or undefined: the SDK
 * registers itself.
 */
export class CodeProvider {
	#client;
	#tokens;
	#verifier;
	#discovery;
	#state;
	#url;

	constructor(redirect, client) {
		this.redirectUrl = redirect;
		this.#client = client;
	}

	get clientMetadata() {
		return {
			client_name: "interop",
			redirect_uris: [this.redirectUrl],
			grant_types: ["authorization_code", "refresh_token"],
			response_types: ["code"],
			token_endpoint_auth_method: "none",
		};
	}

	clientInformation() { return this.#client; }
	saveClientInformation(client) { this.#client = client; }
	tokens() { return this.#tokens; }
	saveTokens(tokens) { this.#tokens = tokens; }
	codeVerifier() { return this.#verifier; }
	saveCodeVerifier(verifier) { this.#verifier = verifier; }
	discoveryState() { return this.#discovery; }
	saveDiscoveryState(state) { this.#discovery = state; }
	state() { return this.#state = randomUUID(); }
	redirectToAuthorization(url) { this.#url = url; }

	invalidateCredentials(what) {
		if (what === "all" || what === "tokens")
			this.#tokens = undefined;
		if (what === "all" || what === "client")
			this.#client = undefined;
	}

	/* The user's part.  The parameters that the callback got. */
	async approve(browser) {
		const params = await browser.visit(this.#url, this.redirectUrl);

		if (params.get("state") !== this.#state)
			throw new Error("another state came back");
		if (!params.has("code"))
			throw new Error(`no code: ${params}`);
		return params;
	}
}
