"use strict";
// One page, no build step, nothing from elsewhere. What comes from the services is only ever written as text.

const words = {
  en: {
    skip: "Skip to the orders", token: "Token", signIn: "Sign in", signOut: "Sign out", path: "The way of an order",
    throughput: "Orders a second", latency: "Commit to archive, p50 and p99", place: "Place an order", user: "User",
    product: "Product", quantity: "Quantity", spend: "Points to spend", mode: "Mode", order: "Order", orders: "Latest orders",
    ordersHidden: "Sign in to see them.", number: "Order", status: "Status", total: "Total", placedAt: "Placed",
    work: "For the operator", close: "Close", who: "Who you are", why: "Why", do: "Do it", cancel: "Cancel",
    live: "live", lost: "the feed broke, trying again", away: "order's database is away", signedIn: "You are signed in.",
    signedOut: "You are signed out.", wrongToken: "This token is not accepted.", placed: "placed",
    placedTen: "placed in 10 s", settledTen: "of these settled", cancelledTen: "of these cancelled", tasks: "tasks that wait",
    parked: "tasks parked", unconfirmed: "decisions on their way", undecided: "branches undecided", dead: "dead letters",
    setAside: "messages set aside", down: "does not answer", tabTasks: "Tasks", tabLetters: "Dead letters",
    tabBranches: "Branches", tabRows: "Rows in the way", tabBooks: "Books", tabDoctor: "Doctor", none: "None.",
    retry: "Send again", discard: "Discard", retryAll: "Send all parked again", commit: "Commit", abort: "Abort",
    restore: "Restore", keep: "Keep", restoreChanged: "Restore what it changed", compare: "Compare now", apply: "Apply",
    open: "It waits for", missing: "Could not be asked", done: "Done.", refresh: "Look again", service: "Service",
    what: "What", detail: "Detail", attempts: "Attempts", reason: "Reason", age: "Age", advice: "Advice",
    value: "Value", before: "Before", after: "After", now: "Now", notCompared: "The books were not compared yet.",
    pause: "Pause", resume: "Resume", pausedType: "paused", delayed: "delayed", inLine: "behind others of their lines",
    heldLines: "lines that a parked task holds", pausedTasks: "tasks of paused types", due: "Due",
  },
  zh: {
    skip: "跳到订单", token: "令牌", signIn: "登录", signOut: "退出", path: "订单的路径", throughput: "每秒订单数",
    latency: "从提交到归档,p50 与 p99", place: "下单", user: "用户", product: "商品", quantity: "数量", spend: "使用积分",
    mode: "模式", order: "下单", orders: "最新订单", ordersHidden: "登录后可见。", number: "订单", status: "状态", total: "总额",
    placedAt: "下单时间", work: "运维", close: "关闭", who: "您是谁", why: "原因", do: "执行", cancel: "取消", live: "实时",
    lost: "连接中断,正在重试", away: "订单数据库不可用", signedIn: "已登录。", signedOut: "已退出。", wrongToken: "令牌不被接受。",
    placed: "已下单", placedTen: "10 秒内下单", settledTen: "其中已完成", cancelledTen: "其中已取消", tasks: "等待中的任务",
    parked: "搁置的任务", unconfirmed: "传达中的决定", undecided: "未决分支", dead: "死信", setAside: "暂存的消息",
    down: "没有响应", tabTasks: "任务", tabLetters: "死信", tabBranches: "分支", tabRows: "受阻的行", tabBooks: "对账",
    tabDoctor: "诊断", none: "没有。", retry: "重发", discard: "丢弃", retryAll: "重发全部搁置任务", commit: "提交", abort: "回滚",
    restore: "恢复", keep: "保留", restoreChanged: "只恢复它改过的列", compare: "立即对账", apply: "执行建议", open: "正在等待",
    missing: "无法询问", done: "完成。", refresh: "刷新", service: "服务", what: "事件", detail: "详情",
    attempts: "次数", reason: "原因", age: "时长", advice: "建议", value: "值", before: "之前", after: "之后",
    now: "现在", notCompared: "尚未对账。", pause: "暂停", resume: "恢复发送", pausedType: "已暂停", delayed: "延迟",
    inLine: "排在同队其他任务之后", heldLines: "被搁置任务挡住的队列", pausedTasks: "已暂停类型的任务", due: "到期",
  },
};

const $ = id => document.getElementById(id);
let language = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");
const say = key => words[language][key] || key;
let signedIn = false;
let tab = "tasks";
const history = [];
let ticks = 0;
// What other scripts draw, drawn again with the language and the session.
const parts = [];
const drawParts = () => parts.forEach(draw => draw());

// MARK: Elements

/** An element with attributes and children; texts stay texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== undefined && child !== null));
  return element;
}

function table(heads, rows) {
  if (rows.length === 0) return make("p", {}, say("none"));
  return make("div", { class: "scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map(head => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows.map(cells => make("tr", {}, ...cells.map(cell =>
      cell instanceof HTMLTableCellElement ? cell : make("td", {}, cell ?? "")))))));
}

const button = (key, action) => make("button", { type: "button", onclick: action }, say(key));
const mark = text => make("td", { class: text }, text);
const long = text => make("td", { class: "text" }, text ?? "");
const time = text => text ? new Date(text).toLocaleTimeString(language, { hour12: false }) : "";
const age = since => {
  const seconds = Math.max(0, (Date.now() - new Date(since)) / 1000);
  return seconds < 120 ? `${Math.round(seconds)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
};

function tell(text, isBad = false) {
  $("said").textContent = text;
  $("said").className = isBad ? "bad" : "";
}

// MARK: Requests

/** The answer's JSON; a problem document is thrown as its words. */
async function ask(method, path, body) {
  const answer = await fetch(path, {
    method, headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin",
  });
  const text = await answer.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { value = null; }
  if (answer.ok) return value;
  if (answer.status === 401 && signedIn) setSession(false);
  throw new Error(value && value.title ? `${answer.status} ${value.title}${value.detail ? ": " + value.detail : ""}` : `${answer.status}`);
}

/** What the session may do at a service. */
const operate = (method, service, path, body) => ask(method, `/operate/${service}${path}`, body);

async function act(work) {
  try {
    await work();
    tell(say("done"));
  } catch (error) { tell(error.message, true); }
  await showTab();
}

// MARK: Language and session

function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  $("language").textContent = language === "en" ? "中文" : "English";
  $("language").lang = language === "en" ? "zh" : "en";
  drawTabs();
  drawParts();
}

function setSession(isOn) {
  signedIn = isOn;
  $("sign-in").hidden = isOn;
  $("sign-out").hidden = !isOn;
  $("work").hidden = !isOn;
  if (isOn) showTab();
  drawParts();
  listen();
}

// MARK: The feed

let source = null;
function listen() {
  if (source) source.close();
  source = new EventSource("/feed");
  source.addEventListener("state", event => {
    $("live").className = "live";
    $("live-text").textContent = say("live");
    show(JSON.parse(event.data));
  });
  source.addEventListener("away", () => {
    $("live").className = "";
    $("live-text").textContent = say("away");
  });
  // The browser connects again by itself, but not after an answer that is no stream.
  source.onerror = () => {
    $("live").className = "";
    $("live-text").textContent = say("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

function step(number, key, kind, who) {
  return make("li", { class: kind }, make("b", {}, String(number)), make("span", {}, who ? `${who}: ${say(key)}` : say(key)));
}

function show(state) {
  const limit = count => count >= 1000 ? "1000+" : count;
  const { recent, waiting } = state;
  const steps = [
    step(recent.placed, "placedTen"), step(recent.settled, "settledTen"), step(recent.cancelled, "cancelledTen"),
    step(limit(waiting.pending), "tasks"), step(limit(waiting.parked), "parked", waiting.parked ? "bad" : ""),
    step(limit(waiting.unconfirmed), "unconfirmed"),
  ];
  for (const one of state.participants) {
    if (!one.isUp) {
      steps.push(step("–", "down", "bad", one.name));
      continue;
    }
    steps.push(step(limit(one.undecided), "undecided", "", one.name));
    if (one.setAside) steps.push(step(one.setAside, "setAside", "wait", one.name));
    if (one.deadLetters) steps.push(step(one.deadLetters, "dead", "bad", one.name));
  }
  $("path").replaceChildren(...steps);
  history.push({ rate: recent.placed / 10, p50: state.latency?.p50 ?? 0, p99: state.latency?.p99 ?? 0 });
  if (history.length > 120) history.shift();
  $("rate").textContent = (recent.placed / 10).toFixed(1);
  $("delay").textContent = state.latency ? `${state.latency.p50.toFixed(0)} / ${state.latency.p99.toFixed(0)} ms` : "";
  chart("chart-rate", say("throughput"), ["rate"]);
  chart("chart-delay", say("latency"), ["p50", "p99"]);
  $("orders-hidden").hidden = Boolean(state.orders);
  if (state.orders) drawOrders(state.orders);
  // What is listed for the operator, too, but not under somebody's hands.
  ticks += 1;
  if (signedIn && ticks % 3 === 0 && !$("panel").contains(document.activeElement) && !$("ask").open) showTab();
}

function chart(id, label, names) {
  const most = Math.max(1, ...history.flatMap(point => names.map(name => point[name])));
  const lines = names.map((name, index) => {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", history.map((point, at) => `${at * 2},${46 - 44 * point[name] / most}`).join(" "));
    if (index > 0) line.setAttribute("class", "second");
    return line;
  });
  $(id).setAttribute("aria-label", `${label}: ${names.map(name => history.at(-1)[name].toFixed(1)).join(", ")}`);
  $(id).replaceChildren(...lines);
}

let drawn = "";
function drawOrders(orders) {
  // Drawn anew only when something changed, so that the focus stays where it is.
  const text = language + signedIn + JSON.stringify(orders.map(order => [order.id, order.status]));
  if (text === drawn) return;
  drawn = text;
  const focused = document.activeElement?.dataset?.order;
  $("orders").tBodies[0].replaceChildren(...orders.map(order => make("tr", {},
    make("td", {}, signedIn
      ? make("button", { type: "button", class: "link", "data-order": order.id, onclick: () => tellStory(order.id) }, order.id.slice(-12))
      : make("code", {}, order.id.slice(-12))),
    mark(order.status), make("td", {}, typeof order.mode === "string" ? order.mode : JSON.stringify(order.mode)),
    make("td", {}, order.userName), make("td", {}, String(order.total)), make("td", {}, time(order.createdAt)))));
  if (focused) document.querySelector(`[data-order="${CSS.escape(focused)}"]`)?.focus();
}

// MARK: An order's story

async function tellStory(id) {
  try {
    const story = await operate("GET", "order", `/orders/${encodeURIComponent(id)}/story`);
    const begin = new Date(story.events[0]?.at);
    const waits = [...story.open.map(one => `${say("open")}: ${one.service}, ${one.what}, ${one.detail}`),
      ...story.missing.map(name => `${say("missing")}: ${name}`)];
    $("story-title").textContent = `${id} · ${story.order.status}`;
    $("story-body").replaceChildren(
      table(["ms", say("service"), say("what"), say("detail")], story.events.map(event =>
        [String(new Date(event.at) - begin), event.service, mark(event.what), long(event.detail)])),
      ...waits.map(text => make("p", { class: "warning" }, text)));
    $("story").showModal();
  } catch (error) { tell(error.message, true); }
}

// MARK: For the operator

const tabs = { tasks: "tabTasks", letters: "tabLetters", branches: "tabBranches", rows: "tabRows", books: "tabBooks", doctor: "tabDoctor" };
const receivers = ["order", "stock", "user-points"];
const participants = ["stock", "user-points"];

function drawTabs() {
  $("tabs").replaceChildren(...Object.entries(tabs).map(([name, key]) => make("button", {
    type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(name === tab), "aria-controls": "panel",
    tabindex: name === tab ? "0" : "-1", onclick: () => { tab = name; drawTabs(); showTab(); },
  }, say(key))));
}

$("tabs").addEventListener("keydown", event => {
  const names = Object.keys(tabs);
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!move) return;
  tab = names[(names.indexOf(tab) + move + names.length) % names.length];
  drawTabs();
  $(`tab-${tab}`).focus();
  showTab();
});

/** Who and why, of a person; nil when he would rather not. */
function confirmed(title) {
  $("ask-title").textContent = title;
  $("ask-reason").value = "";
  $("ask").returnValue = "no";
  $("ask").showModal();
  return new Promise(resolve => $("ask").addEventListener("close", () => resolve($("ask").returnValue === "yes"
    ? { operator: $("ask-operator").value, reason: $("ask-reason").value } : null), { once: true }));
}

/** Both in one text, of no more characters than a reason may have. */
const because = who => [...`${who.operator}: ${who.reason}`].slice(0, 255).join("");

/** The same of several services; one that cannot be asked says so. */
async function each(services, path, list) {
  const found = await Promise.all(services.map(async service => {
    try { return (list(await operate("GET", service, path)) ?? []).map(one => ({ service, ...one })); }
    catch (error) { tell(`${service}: ${error.message}`, true); return []; }
  }));
  return found.flat();
}

const panels = {
  async tasks() {
    const { tasks, counts, paused } = await operate("GET", "order", "/tasks?limit=100");
    const held = new Set(paused.map(one => one.taskType));
    const running = [...new Set(["deductstock", "addpoint", "restock", "refundpoint", ...tasks.map(task => task.taskType)])]
      .filter(type => !held.has(type));
    const pause = type => make("button", {
      type: "button", "data-pause": type, onclick: async () => {
        const who = await confirmed(`${say("pause")}: ${type}`);
        if (who) await act(() => operate("POST", "order", "/tasks/pause", { taskType: type, reason: because(who) }));
      },
    }, `${say("pause")} ${type}`);
    const resume = one => make("p", { class: "warning" }, `${say("pausedType")}: ${one.taskType}, ${age(one.since)}, ${one.reason ?? ""} `,
      make("button", { type: "button", "data-resume": one.taskType,
        onclick: () => act(() => operate("POST", "order", "/tasks/resume", { taskType: one.taskType })) }, say("resume")));
    const discard = task => button("discard", async () => {
      const who = await confirmed(`${say("discard")}: ${task.taskType} ${task.id}`);
      if (who) await act(() => operate("POST", "order", `/tasks/${task.id}/discard`, { reason: because(who) }));
    });
    const few = [["delayed", counts.delayed], ["inLine", counts.waiting], ["heldLines", counts.heldLines], ["pausedTasks", counts.paused]]
      .filter(([, count]) => count > 0).map(([key, count]) => `, ${say(key)}: ${count}`).join("");
    return [
      make("p", {}, `${say("tasks")}: ${counts.pending}, ${say("parked")}: ${counts.parked}${few} `,
        button("retryAll", () => act(() => operate("POST", "order", "/tasks/retry", {})))),
      make("p", {}, ...running.flatMap(type => [pause(type), " "])), ...paused.map(resume),
      table(["", say("what"), say("status"), say("attempts"), say("age"), say("due"), say("number"), say("reason"), ""], tasks.map(task => [
        String(task.id), task.taskType, mark(task.status), String(task.attempts), age(task.createTime), time(task.dueTime),
        task.businessKey, long(task.errormsg),
        make("td", {}, button("retry", () => act(() => operate("POST", "order", `/tasks/${task.id}/retry`))), " ",
          task.status === "parked" ? discard(task) : null),
      ])),
    ];
  },
  async letters() {
    const letters = await each(receivers, "/dead-letters?limit=50", answer => answer.deadLetters);
    return [table([say("service"), "", say("what"), say("reason"), ""], letters.map(letter => [
      letter.service, String(letter.id), letter.queue ?? "", long(letter.reason),
      make("td", {}, button("retry", () => act(() => operate("POST", letter.service, `/dead-letters/${letter.id}/retry`))), " ",
        button("discard", () => act(() => operate("DELETE", letter.service, `/dead-letters/${letter.id}`)))),
    ]))];
  },
  async branches() {
    const branches = await each(participants, "/transactions?limit=200", answer => answer.branches);
    const decide = (branch, decision) => async () => {
      const who = await confirmed(`${say(decision)}: ${branch.xid}`);
      if (who) await act(() => operate("POST", branch.service, "/transactions/decide", { xid: branch.xid, decision, ...who }));
    };
    return [table([say("service"), "XID", say("mode"), say("status"), say("age"), say("reason"), ""], branches.map(branch => [
      branch.service, (branch.branch ?? "1") === "1" ? branch.xid : `${branch.xid} ${branch.branch}`, branch.mode, mark(branch.state), age(branch.createdAt), long(branch.errormsg),
      make("td", {}, button("commit", decide(branch, "commit")), " ", button("abort", decide(branch, "abort"))),
    ]))];
  },
  async rows() {
    const rows = await each(participants, "/dirty-rows", answer => answer.rows);
    const resolve = (row, choice, key) => button(key, async () => {
      const who = await confirmed(`${say(key)}: ${row.table} ${row.key}`);
      if (who) await act(() => operate("POST", row.service, "/dirty-rows/resolve", { xid: row.xid, table: row.table, key: row.key, choice, ...who }));
    });
    const image = text => make("td", { class: "text" }, make("pre", {}, text ?? "–"));
    return [table([say("service"), say("what"), say("reason"), say("before"), say("after"), say("now"), ""], rows.map(row => [
      row.service, long(`${row.table} ${row.key}`), long(row.reason), image(row.before), image(row.after), image(row.now),
      make("td", {}, resolve(row, "restore", "restore"), " ", resolve(row, "keep", "keep"), " ", resolve(row, "restore-changed", "restoreChanged")),
    ]))];
  },
  async books() {
    const compare = make("p", {}, button("compare", () => act(() => operate("POST", "order", "/reconciliation", {}))));
    let report;
    try { report = await operate("GET", "order", "/reconciliation"); }
    catch (error) { return [compare, make("p", {}, error.message.startsWith("404") ? say("notCompared") : error.message)]; }
    const apply = finding => button("apply", async () => {
      const who = await confirmed(`${say("apply")}: ${finding.kind}`);
      if (who) await act(() => operate("POST", "order", "/reconciliation/apply", { finding: finding.id, reason: `${who.operator}: ${who.reason}` }));
    });
    return [compare, make("p", { class: report.clean ? "ok" : "warning" }, `${time(report.startedAt)} – ${time(report.endedAt)}, ${report.orders}`),
      table([say("what"), say("number"), say("detail"), ""], (report.findings ?? []).map(finding => [
        finding.kind, finding.orderId ?? finding.key ?? "", long(finding.detail), finding.proposal ? apply(finding) : String(finding.repaired ?? ""),
      ]))];
  },
  async doctor() {
    const checks = await each([...receivers, "message-centre"], "/doctor", answer => answer.checks);
    return [table([say("service"), "", say("what"), say("value"), say("advice")], checks.map(check =>
      [check.service, mark(check.verdict), check.name, check.value, long(check.advice)]))];
  },
};

async function showTab() {
  if (!signedIn) return;
  const wanted = tab;
  let content;
  try { content = await panels[wanted](); }
  catch (error) { content = [make("p", { class: "wrong" }, error.message)]; }
  if (wanted !== tab) return;
  $("panel").setAttribute("aria-labelledby", `tab-${tab}`);
  $("panel").replaceChildren(make("p", {}, button("refresh", showTab)), ...content);
}

// MARK: Begin

$("language").addEventListener("click", () => {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem("language", language);
  drawn = "";
  translate();
  showTab();
});
$("sign-in").addEventListener("submit", async event => {
  event.preventDefault();
  try {
    await ask("POST", "/session", { token: $("token").value });
    $("token").value = "";
    setSession(true);
    tell(say("signedIn"));
  } catch (error) { tell(error.message.startsWith("401") ? say("wrongToken") : error.message, true); }
});
$("sign-out").addEventListener("click", async () => {
  await ask("DELETE", "/session");
  setSession(false);
  tell(say("signedOut"));
});
$("place").addEventListener("submit", async event => {
  event.preventDefault();
  try {
    const order = await ask("POST", "/orders", {
      userName: $("user").value, items: [{ sku: $("sku").value, quantity: Number($("quantity").value) }],
      mode: $("mode").value, spendPoints: Number($("points").value),
    });
    tell(`${order.id}: ${say("placed")}`);
  } catch (error) { tell(error.message, true); }
});
translate();
// Whether there is a session only the service knows: the cookie is not for scripts.
ask("GET", "/session").then(answer => {
  setSession(answer.signedIn);
  // There only where faults may be switched.
  if (answer.faults) document.head.append(make("script", { src: "/faults.js" }));
}, () => setSession(false));
