"use strict";
// Break it: switches, and what became of what was broken. Loaded by dashboard.js, only where faults may be switched.
{

Object.assign(words.en, {
  faults: "Break it", faultsOn: "Faults can be switched on here: this suite is for demonstrations.", faultsSignIn: "Sign in to break something.",
  faultProcess: "Processes", faultNetwork: "The network", faultFailpoint: "At one point in the code of", breakIt: "Break it",
  withOrders: "Place 50 orders while it happens", forSeconds: "Seconds, where it lasts", trials: "What became of it", whatBreaks: "What happens",
  ordering: "orders come", broken: "it breaks", settling: "what is on its way settles", comparing: "the books are compared",
  hitAt: "It broke at", inFlight: "On its way then", ordersSent: "Orders", mended: "What mended it", settledAfter: "Settled after",
  booksAgree: "The books agree", booksDiffer: "The books do not agree", notWell: "Not well", well: "All is well", nothing: "nothing",
  requests: "requests", countOrders: "orders", countTasks: "tasks", decisions: "decisions", branches: "branches", messages: "messages",
  sent: "sent", refused: "refused", unanswered: "unanswered", stockTaken: "stock taken", pointsEarned: "points earned", pointsSpent: "points spent",
  redelivered: "messages delivered again by the broker", duplicates: "copies recognised and answered again",
  republished: "tasks sent again when their lease ended", notSent: "messages that the broker could not be given at first",
  checkBacks: "questions of a participant: what was decided?", toldAgain: "decisions told again (phase 2)",
  branchesAgain: "calls recognised that had been carried out", rolledBack: "parts undone", preparedAgain: "messages prepared again",
  centreChecks: "questions of the centre: was it done?", redisOutages: "times without Redis: the database decides", restarts: "starts, with recovery of what was left",
  askedAgain: "requests of clients, again with the same key", agentAway: "The agent cannot be asked now; trying again.",
});
Object.assign(words.zh, {
  faults: "制造故障", faultsOn: "此处可以制造故障:本套件仅供演示。", faultsSignIn: "登录后可制造故障。", faultProcess: "进程", faultNetwork: "网络",
  faultFailpoint: "代码中的某一点:", breakIt: "执行", withOrders: "故障期间下 50 个订单", forSeconds: "持续秒数", trials: "结果",
  whatBreaks: "将会发生", ordering: "正在下单", broken: "故障中", settling: "在途的正在完成", comparing: "正在对账", hitAt: "故障时间",
  inFlight: "当时在途", ordersSent: "订单", mended: "如何修复", settledAfter: "完成用时", booksAgree: "账目一致", booksDiffer: "账目不一致",
  notWell: "有问题", well: "一切正常", nothing: "无", requests: "请求", countOrders: "订单", countTasks: "任务", decisions: "决定", branches: "分支",
  messages: "消息", sent: "已发送", refused: "被拒绝", unanswered: "未答复", stockTaken: "扣减库存", pointsEarned: "获得积分", pointsSpent: "使用积分",
  redelivered: "消息由代理重新投递", duplicates: "副本被识别并再次回答", republished: "租约到期后重发的任务", notSent: "起初无法交给代理的消息",
  checkBacks: "参与者回查:决定了什么?", toldAgain: "再次通知的决定(第二阶段)", branchesAgain: "被识别为已执行的调用", rolledBack: "已回滚的部分",
  preparedAgain: "再次准备的消息", centreChecks: "消息中心回查:完成了吗?", redisOutages: "没有 Redis 的次数:由数据库决定", restarts: "重新启动并恢复",
  askedAgain: "客户端用同一个键重试的请求", agentAway: "暂时无法询问代理;正在重试。",
});

const faults = { switches: [], trials: [], isAway: false, timer: null, chosen: {} };
const agent = (method, path, body) => operate(method, "fault-agent", path, body);

const faultsSection = make("section", { id: "faults", "aria-labelledby": "faults-title" },
  make("h2", { id: "faults-title", "data-text": "faults" }), make("p", { class: "warning", "data-text": "faultsOn" }),
  make("p", { id: "faults-sign-in", "data-text": "faultsSignIn" }), make("div", { id: "faults-work", hidden: true },
    make("p", {}, make("label", {}, make("input", { type: "checkbox", id: "faults-orders", checked: true }), " ", make("span", { "data-text": "withOrders" })), " ",
      make("label", { for: "faults-seconds", "data-text": "forSeconds" }), " ",
      make("input", { type: "number", id: "faults-seconds", min: "1", max: "60", value: "8" })),
    make("div", { id: "switches" }), make("h3", { "data-text": "trials" }), make("div", { id: "trials", "aria-live": "polite" })));
$("work").before(faultsSection);

const wordsOf = said => said[language] ?? said.en;
const running = () => faults.trials.some(trial => trial.phase !== "over");

async function breakIt(id) {
  try {
    await agent("POST", "/trials", { switch: id, orders: $("faults-orders").checked ? 50 : 0, seconds: Number($("faults-seconds").value) });
    tell(say("done"));
  } catch (error) { tell(error.message, true); }
  await lookAtTrials();
}

/** A list to choose from, what the chosen one will do, and the button that does it. */
function switchGroup(title, key, choices, nameOf) {
  const chosen = () => choices.find(one => one.id === faults.chosen[key]) ?? choices[0];
  const says = make("p", { id: `says-${key}` }, wordsOf(chosen().says));
  const list = make("select", { id: `switch-${key}`, "aria-describedby": `says-${key}` }, ...choices.map(one =>
    make("option", { value: one.id, selected: one.id === chosen().id }, nameOf(one))));
  list.addEventListener("change", () => {
    faults.chosen[key] = list.value;
    says.textContent = wordsOf(chosen().says);
  });
  return make("div", { class: "switch" }, make("p", {}, make("label", { for: `switch-${key}` }, title), " ", list, " ",
    make("button", { type: "button", id: `break-${key}`, disabled: running(), onclick: () => breakIt(chosen().id) }, say("breakIt"))), says);
}

function drawSwitches() {
  const of = (kind, service) => faults.switches.filter(one => one.kind === kind && (!service || one.service === service));
  const groups = [];
  if (of("process").length) groups.push(switchGroup(say("faultProcess"), "process", of("process"), one => one.id.replace(":", " ")));
  if (of("network").length) groups.push(switchGroup(say("faultNetwork"), "network", of("network"), one => one.id.replace(":", " ")));
  for (const service of new Set(of("failpoint").map(one => one.service)))
    groups.push(switchGroup(`${say("faultFailpoint")} ${service}`, service, of("failpoint", service), one => one.id.split(":")[2]));
  $("switches").replaceChildren(...groups);
}

const counted = (counts, keys) => Object.entries(keys).filter(([name]) => counts[name]).map(([name, key]) => `${counts[name]} ${say(key)}`).join(", ") || say("nothing");
const line = (title, ...content) => [make("dt", {}, title), make("dd", {}, ...content)];

function drawTrial(trial) {
  const one = faults.switches.find(one => one.id === trial.switch);
  const lines = [];
  if (one) lines.push(...line(say("whatBreaks"), wordsOf(one.says)));
  if (trial.hitAt) lines.push(...line(say("hitAt"), time(trial.hitAt)));
  if (trial.inFlight) lines.push(...line(say("inFlight"), counted(trial.inFlight,
    { requests: "requests", orders: "countOrders", tasks: "countTasks", decisions: "decisions", branches: "branches", messages: "messages" })));
  lines.push(...line(say("ordersSent"), counted(trial.orders, { sent: "sent", placed: "placed", refused: "refused", unanswered: "unanswered" })));
  lines.push(...line(say("mended"), trial.mended.length ? make("ul", {}, ...trial.mended.map(found =>
    make("li", {}, `${found.service ? found.service + ": " : ""}${found.count} ${say(found.what)}`))) : say("nothing")));
  if (trial.settledAfter !== undefined) lines.push(...line(say("settledAfter"), `${trial.settledAfter.toFixed(1)} s`));
  if (trial.books) {
    const books = trial.books;
    const sums = ["stockTaken", "pointsEarned", "pointsSpent"].map(key => `${say(key)} ${books[key].ordered} / ${books[key].booked}`);
    lines.push(...line(books.agree ? say("booksAgree") : say("booksDiffer"),
      [...Object.entries(books.orders).map(([status, count]) => `${status} ${count}`), ...sums].join(", "),
      make("ul", {}, ...books.findings.map(finding => make("li", { class: "wrong" }, finding)))));
  }
  const verdict = trial.phase !== "over" ? make("b", { class: "pending" }, say(trial.phase))
    : trial.isWell ? make("b", { class: "ok" }, say("well")) : make("b", { class: "wrong" }, `${say("notWell")}: ${trial.problems.join("; ")}`);
  return make("article", { class: "trial", "data-trial": trial.id, "data-phase": trial.phase, "data-well": String(trial.isWell ?? "") },
    make("h4", {}, `${time(trial.startedAt)} ${trial.switch} · `, verdict), make("dl", {}, ...lines));
}

function drawTrials() {
  $("trials").replaceChildren(...(faults.isAway ? [make("p", { class: "warning" }, say("agentAway"))] : []), ...faults.trials.slice(0, 5).map(drawTrial));
  for (const button of document.querySelectorAll("#switches button")) button.disabled = running();
}

/** The agent remembers: order, which the page is from, may be what broke. */
async function lookAtTrials() {
  clearTimeout(faults.timer);
  if (!signedIn) return;
  try {
    if (faults.switches.length === 0) {
      faults.switches = (await agent("GET", "/switches")).switches;
      drawSwitches();
    }
    faults.trials = (await agent("GET", "/trials")).trials;
    faults.isAway = false;
  } catch { faults.isAway = true; }
  drawTrials();
  if (running() || faults.isAway) faults.timer = setTimeout(lookAtTrials, 700);
}

parts.push(() => {
  for (const element of faultsSection.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  $("faults-sign-in").hidden = signedIn;
  $("faults-work").hidden = !signedIn;
  if (faults.switches.length) drawSwitches();
  lookAtTrials();
});
drawParts();
}
