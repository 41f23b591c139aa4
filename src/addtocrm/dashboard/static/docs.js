// Sends requests from the page of the API reference.

const key = document.getElementById("key");

function text(answer, body) {
  const kept = ["x-request-id", "x-ratelimit-remaining-minute", "retry-after"];
  const headers = kept.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
  let shown = body;
  try {
    shown = JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    // Not JSON: a CSV file, say.
  }
  return `${answer.status}\n${headers.join("\n")}\n\n${shown}`;
}

async function send(form) {
  const output = form.querySelector("output");
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.append(input.name, input.value);
  }
  const headers = { Authorization: `Bearer ${key.value.trim()}` };
  const body = form.querySelector("textarea");
  if (body) headers["Content-Type"] = "application/json";
  output.textContent = "…";
  try {
    const url = query.size ? `${path}?${query}` : path;
    const answer = await fetch(url, { method: form.dataset.method, headers, body: body ? body.value : undefined });
    output.textContent = text(answer, await answer.text());
  } catch (error) {
    output.textContent = String(error);
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.path) return;
  event.preventDefault();
  send(event.target);
});
