/*
 * Debian's Chromium without a window, and what a page is looked at for: what it
 * complained of, whom it asked, and whether its text can be read.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/* The pages are ours: no sandbox, which root has not and others may not have.
 * The rest keeps the browser from asking its maker for things. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"];

/*
 * A browser with one page.  browser.complaints: its console's errors and what
 * its policy blocked; browser.asked: the URL of every request.
 */
export async function browser_start() {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
	const browser = { dir, complaints: [], asked: [] };

	try {
		browser.context = await chromium.launchPersistentContext(dir, {
			executablePath: CHROMIUM,
			headless: true,
			args: FLAGS,
			env: { ...process.env, HOME: dir },
			viewport: { width: 1280, height: 900 },
		});
	} catch (err) {
		fs.rmSync(dir, { recursive: true, force: true });
		throw err;
	}
	[browser.page] = browser.context.pages();
	await watch(browser);
	return browser;
}

async function watch(browser) {
	const { page, complaints, asked } = browser;

	page.on("console", (m) => m.type() === "error" &&
	    complaints.push(m.text()));
	page.on("pageerror", (err) => complaints.push(err.stack));
	page.on("request", (req) => asked.push(req.url()));
	await page.exposeFunction("complain", (text) => complaints.push(text));
	await page.addInitScript(() => addEventListener(
	    "securitypolicyviolation", (e) => window.complain(
	    `policy: ${e.violatedDirective} ${e.blockedURI}`)));
}

export async function browser_stop(browser) {
	await browser.context.close();
	fs.rmSync(browser.dir, { recursive: true, force: true });
}

/*
 * What is too faint to be read (WCAG 2.2: text 1.4.3, 4.5 to 1; lines of
 * charts and the edges of controls 1.4.11, 3 to 1), as text; and how many
 * places were looked at.
 */
export function faint(page) {
	return page.evaluate(() => {
		const rgb = (s) => s.match(/[\d.]+/g).map(Number);
		const opaque = (c) => c.length === 3 || c[3] > 0;
		const light = (c) => c.slice(0, 3).map((v) => v / 255)
		    .map((v) => v <= .04045 ? v / 12.92 :
			((v + .055) / 1.055) ** 2.4)
		    .reduce((n, v, i) => n + v * [.2126, .7152, .0722][i], 0);
		const behind = (e) => {
			const c = rgb(getComputedStyle(e).backgroundColor);

			return opaque(c) || !e.parentElement ? c :
			    behind(e.parentElement);
		};
		const ratio = (a, b) => {
			const [x, y] = [light(a), light(b)].sort((p, q) =>
				q - p);

			return (x + .05) / (y + .05);
		};
		const says = (e) => [...e.childNodes].some((n) =>
			n.nodeType === Node.TEXT_NODE && n.data.trim());
		const out = { seen: 0, faint: [] };
		const look = (e, colour, on, want) => {
			const r = ratio(rgb(colour), on);

			out.seen++;
			if (!(r >= want))
				out.faint.push(`${r.toFixed(2)} ${e.tagName} ` +
				    e.textContent.slice(0, 40));
		};

		for (const e of document.body.querySelectorAll("*")) {
			const style = getComputedStyle(e);

			if (!e.checkVisibility({ visibilityProperty: true }))
				continue;
			if (says(e))
				look(e, style.color, behind(e), 4.5);
			if (e.matches("button, input"))
				look(e, style.borderTopColor,
				    behind(e.parentElement), 3);
			if (e.matches("svg .edge"))
				look(e, style.stroke, behind(e.closest("div")),
				    3);
		}
		return out;
	});
}
