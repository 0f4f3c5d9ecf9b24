import SettleServiceKit
import ShopContract

/// A point in the code at which a service can be killed, and what that will lead to.
struct Failpoint: Sendable {
    let point: String
    let services: [String]
    let says: Words
    var modes = OrderKind.all
    /// What order is to do meanwhile, so that the point is reached.
    var helper: String?

    private init(
        _ point: String, _ services: [String], _ english: String, _ chinese: String, modes: [OrderKind] = OrderKind.all,
        helper: String? = nil
    ) {
        self.point = point
        self.services = services
        self.modes = modes
        self.helper = helper
        says = Words(en: english, zh: chinese)
    }

    private static let order = [ShopServices.order.name]
    private static let stock = [ShopServices.stock.name]
    private static let centre = [ShopServices.messageCentre.name]
    private static let receivers = [ShopServices.stock.name, ShopServices.userPoints.name]
    /// Transactions are given up after their parts are done.
    private static let givesUp = "order.branchesDone=throw"
    /// Messages are saved and prepared, and what they belong to is not done.
    private static let neverConfirms = "order.beforeCommit=throw"

    static let all = orders + tasks + transactions + branches + furtherBranches + messages + kept

    private static let orders = [
        Failpoint(
            "order.branchesDone", order,
            "order dies when stock and points are taken and nothing is written. The participants ask, hear that nothing was decided, and give back.",
            "order 在库存和积分已扣、尚未写入任何内容时崩溃。参与者回查,得知没有决定,于是归还。", modes: OrderKind.global),
        Failpoint(
            "order.beforeCommit", order,
            "order dies just before it commits an order. There is no order; what was taken for it is given back by check-back.",
            "order 在提交订单前崩溃。订单不存在;已扣的通过回查归还。"),
        Failpoint(
            "order.committed", order,
            "order dies after it has committed an order and its task, before anything is sent. The task comes due when its lease ends, and is sent then.",
            "order 提交订单及其任务后、发送前崩溃。租约到期后任务会被发送。"),
    ]

    private static let tasks = [
        Failpoint(
            "finish.beforeCommit", order,
            "order dies with an answer in hand that it has not archived. The broker delivers the answer again.",
            "order 收到回答但尚未归档时崩溃。消息代理会重新投递该回答。"),
        Failpoint(
            "finish.committed", order,
            "order dies after it has archived an answer, before it acknowledges it. The answer comes again, and changes nothing.",
            "order 归档回答后、确认前崩溃。回答再次到来,不改变任何内容。"),
        Failpoint(
            "relay.published", order + centre,
            "The sender dies after it has sent a message, before it notes that. The message is sent again, and recognised.",
            "发送方在发送消息后、记录之前崩溃。消息会再次发送,并被识别为重复。", modes: [.message, .centre]),
        Failpoint(
            "inbox.beforeCommit", receivers,
            "The receiver dies before it commits what a message asks for. The broker delivers the message again.",
            "接收方在提交之前崩溃。消息代理会重新投递该消息。", modes: [.message, .centre]),
        Failpoint(
            "inbox.committed", receivers,
            "The receiver dies after it has done what a message asks for, before it answers. The message comes again, is recognised, and is answered.",
            "接收方完成后、回答之前崩溃。消息再次到来,被识别为重复,并得到回答。", modes: [.message, .centre]),
        Failpoint(
            "inbox.answered", receivers,
            "The receiver dies after its answer, before it acknowledges the message. The message comes again and is answered again.",
            "接收方回答后、确认消息之前崩溃。消息再次到来,再次得到回答。", modes: [.message, .centre]),
    ]

    private static let transactions = [
        Failpoint(
            "initiator.beforeCommitRequest", order,
            "order dies when a global transaction is decided and nobody is told. The participants ask, or are told after its restart.",
            "order 在全局事务已决定、尚未通知任何人时崩溃。参与者回查,或在重启后得到通知。", modes: OrderKind.global),
        Failpoint(
            "initiator.confirmed", order,
            "order dies when the participants have confirmed and it has not noted that. They are told once more, and confirm again.",
            "order 在参与者已确认、尚未记录时崩溃。它们会再次被通知并再次确认。", modes: OrderKind.global),
    ]

    private static let branches = [
        Failpoint(
            "branch.beforeCommit", receivers,
            "A participant dies before it commits its part. Nothing is taken; the order is refused or asked for again.",
            "参与者在提交自己的部分之前崩溃。没有扣减;订单被拒绝或重试。", modes: OrderKind.spending),
        Failpoint(
            "branch.committed", receivers,
            "A participant dies after its part is done, before it answers. It asks what was decided, and follows that.",
            "参与者完成自己的部分后、回答之前崩溃。它会回查决定并照做。", modes: OrderKind.spending),
        Failpoint(
            "branch.ended.commit", receivers,
            "A participant dies after it has ended its part by the decision, before it confirms that. It is told again and confirms.",
            "参与者按决定提交后、确认之前崩溃。它再次被通知并确认。", modes: OrderKind.spending),
        Failpoint(
            "branch.ended.rollback", receivers,
            "A participant dies after it has undone its part, before it confirms that. Undoing again changes nothing.",
            "参与者回滚后、确认之前崩溃。再次回滚不改变任何内容。", modes: OrderKind.spending, helper: givesUp),
        Failpoint(
            "branch.beforeCommitPrepared", receivers,
            "A participant dies in mode xa before it commits what is prepared. PostgreSQL keeps it, and it is committed after the restart.",
            "xa 模式下参与者在提交已准备的事务之前崩溃。PostgreSQL 会保留它,重启后提交。", modes: [.xa]),
        Failpoint(
            "branch.beforeRollbackPrepared", receivers,
            "A participant dies in mode xa before it rolls back what is prepared. PostgreSQL keeps it, and it is rolled back after the restart.",
            "xa 模式下参与者在回滚已准备的事务之前崩溃。PostgreSQL 会保留它,重启后回滚。", modes: [.xa], helper: givesUp),
        Failpoint(
            "branch.duringCommit", receivers,
            "A participant dies amid ending its part. Its database undoes the half, and the decision is carried out after the restart.",
            "参与者在结束自己的部分途中崩溃。数据库撤销一半的操作,重启后执行决定。", modes: OrderKind.spending),
        Failpoint(
            "branch.duringRollback", receivers,
            "A participant dies amid undoing its part. Its database undoes the half, and the part is undone after the restart.",
            "参与者在回滚途中崩溃。数据库撤销一半的操作,重启后完成回滚。", modes: OrderKind.spending, helper: givesUp),
    ]

    private static let furtherBranches = [
        Failpoint(
            "branch.beforeChildren", stock,
            "stock dies after its part is done, before it calls user-points. The order is refused or asked for again; stock asks what was decided.",
            "stock 完成自己的部分后、调用 user-points 之前崩溃。订单被拒绝或重试;stock 会回查决定。", modes: [.tree]),
        Failpoint(
            "branch.afterChildren", stock,
            "stock dies after user-points has taken the points for it, before it answers. Both ask what was decided, and follow that.",
            "user-points 已扣积分、stock 回答之前崩溃。两者都会回查决定并照做。", modes: [.tree]),
        Failpoint(
            "branch.remembered", stock,
            "stock dies after it has noted a part at Redis, before it does it. The part is undone, whether it was done or not.",
            "stock 记录了 Redis 上的部分、尚未执行时崩溃。无论是否执行,该部分都会被撤销。", modes: [.flash]),
        Failpoint(
            "branch.prepared", stock,
            "stock dies after Redis has kept the items, before it notes that. The items are given back.",
            "Redis 已保留商品、stock 尚未记录时崩溃。商品会归还。", modes: [.flash]),
        Failpoint(
            "branch.beforeCommitResource", stock,
            "stock dies before it tells Redis that the items are sold. It is told again, and tells Redis then.",
            "stock 在告知 Redis 商品已售出之前崩溃。重启后再次被通知并告知 Redis。", modes: [.flash]),
        Failpoint(
            "branch.beforeRollbackResource", stock,
            "stock dies before it tells Redis to give the items back. It is told again, and tells Redis then.",
            "stock 在让 Redis 归还商品之前崩溃。重启后再次被通知并让 Redis 归还。", modes: [.flash], helper: givesUp),
    ]

    private static let messages = [
        Failpoint(
            "producer.saved", order,
            "order dies after it has saved a pre-message, before anybody knows. It is prepared after the restart, and asked about.",
            "order 保存预消息后、通知任何人之前崩溃。重启后准备并回查。", modes: [.centre]),
        Failpoint(
            "producer.beforePrepare", order,
            "order dies before it tells the message centre of a message. It tells it after the restart.",
            "order 在通知消息中心之前崩溃。重启后通知。", modes: [.centre]),
        Failpoint(
            "producer.prepared", order,
            "order dies after the centre has a message, before it notes that. The centre is told again, and knows it.",
            "消息中心已收到消息、order 尚未记录时崩溃。再次通知,消息中心已知。", modes: [.centre]),
        Failpoint(
            "producer.beforeConfirm", order,
            "order dies before it tells the centre that the order is committed. It tells after the restart, or the centre asks.",
            "order 在告知消息中心订单已提交之前崩溃。重启后告知,或由消息中心回查。", modes: [.centre]),
        Failpoint(
            "producer.confirmed", order,
            "order dies after the centre knows of the commit, before it notes that. The centre is told again.",
            "消息中心已知提交、order 尚未记录时崩溃。会再次告知。", modes: [.centre]),
        Failpoint(
            "producer.beforeOutcome", order,
            "order dies when the centre tells it what became of a message. It is told again.",
            "消息中心告知结果时 order 崩溃。会再次告知。", modes: [.centre]),
        Failpoint(
            "producer.outcome", order,
            "order dies after it has followed what became of a message, before it says so. It is told again, and nothing changes.",
            "order 处理结果后、回应之前崩溃。会再次告知,不改变任何内容。", modes: [.centre]),
    ]

    private static let kept = [
        Failpoint(
            "centre.beforePrepare", centre, "The centre dies before it keeps a message. The producer tells it again.",
            "消息中心在保存消息之前崩溃。生产者会再次告知。", modes: [.centre]),
        Failpoint(
            "centre.prepared", centre,
            "The centre dies after it has kept a message, before it says so. It is told again, and knows it.",
            "消息中心保存消息后、回应之前崩溃。再次被告知,已知。", modes: [.centre]),
        Failpoint(
            "centre.beforeConfirm", centre,
            "The centre dies when a producer confirms. The producer confirms again, or is asked.",
            "生产者确认时消息中心崩溃。生产者再次确认,或被回查。", modes: [.centre]),
        Failpoint(
            "centre.confirmed", centre,
            "The centre dies after a confirm, before it sends. The message comes due after the restart.",
            "消息中心收到确认后、发送之前崩溃。重启后消息到期发送。", modes: [.centre]),
        Failpoint(
            "centre.checkClaimed", centre,
            "Orders fail after their message is prepared; the centre dies as it is about to ask for them. It asks after the restart, and discards them.",
            "订单在消息准备后失败;消息中心即将回查时崩溃。重启后回查并丢弃这些消息。", modes: [.centre], helper: neverConfirms),
        Failpoint(
            "centre.checkAnswered", centre,
            "Orders fail after their message is prepared; the centre dies with the answer to its question in hand. It asks again.",
            "订单在消息准备后失败;消息中心收到回查答复时崩溃。会再次回查。", modes: [.centre], helper: neverConfirms),
        Failpoint(
            "centre.beforeAck", centre, "The centre dies when a consumer acknowledges. The consumer does so again.",
            "消费者确认时消息中心崩溃。消费者会再次确认。", modes: [.centre]),
        Failpoint(
            "centre.acknowledged", centre,
            "The centre dies after a consumer's acknowledgement, before the producer hears of it. It tells after the restart.",
            "消费者确认后、通知生产者之前消息中心崩溃。重启后通知。", modes: [.centre]),
        Failpoint(
            "centre.told", centre,
            "The centre dies after it has told a producer what became of a message, before it notes that. It tells again.",
            "消息中心告知生产者结果后、记录之前崩溃。会再次告知。", modes: [.centre]),
    ]
}
