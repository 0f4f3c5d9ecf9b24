@testable import Settle

extension World {
    /// What is after `event`; nil when it cannot happen now.
    func after(_ event: Event, _ rules: Rules) -> World? {
        var next = self
        guard next.apply(event, rules) else { return nil }
        return next
    }

    private mutating func apply(_ event: Event, _ rules: Rules) -> Bool {
        switch event {
        case .send(let n):
            guard progress == .open, !branches[n].isSent else { return false }
            branches[n].isSent = true
        case .request(let n, let answerArrives):
            guard branches[n].isSent, branches[n].isUp else { return false }
            let isAnswer = branches[n].request(rules)
            if isAnswer, answerArrives, progress == .open { branches[n].isAnswered = true }
        case .giveUp:
            guard progress == .open else { return false }
            end(rules)
        case .insertDecision:
            guard progress == .open, branches.allSatisfy(\.isAnswered) else { return false }
            progress = .deciding
            // The key refuses it when a decision is there.
            isInserted = decision == nil
        case .commitDecision(let wordArrives):
            guard isInserted else { return false }
            isInserted = false
            decision = .commit
            if wordArrives, progress == .deciding {
                progress = .committed
                end(rules)
            }
        case .loseDecision:
            guard isInserted else { return false }
            isInserted = false
        case .findOut:
            guard progress == .deciding else { return false }
            end(rules)
        case .tellCommit(let n):
            guard decision == .commit, branches[n].isUp else { return false }
            branches[n].end(commit: true, rules)
        case .tellRollback(let n):
            guard isRollbackSent, branches[n].isUp else { return false }
            branches[n].end(commit: false, rules)
        case .tellAndDie(let n, let commit):
            guard commit ? decision == .commit : isRollbackSent, branches[n].isUp, branches[n].isPrepared else {
                return false
            }
            branches[n].endPrepared(commit: commit)
            branches[n].isUp = false
        case .checkBack(let n, let answerArrives):
            guard isUp, branches[n].isUp, branches[n].isOpen else { return false }
            let answer = ask(rules)
            if answerArrives, let commit = rules.commits(answer) { branches[n].end(commit: commit, rules) }
        case .crashInitiator:
            guard isUp else { return false }
            isUp = false
            progress = nil
        case .restartInitiator:
            guard !isUp else { return false }
            isUp = true
        case .crash(let n):
            guard branches[n].isUp else { return false }
            branches[n].isUp = false
        case .restart(let n):
            guard !branches[n].isUp else { return false }
            branches[n].isUp = true
        }
        return true
    }

    /// The initiator's own work is over.
    private mutating func end(_ rules: Rules) {
        guard let progress else { return }
        self.progress = nil
        switch rules.atEnd(progress) {
        case .nothing: toldCommitted = true
        case .rollBack: isRollbackSent = true
        case .findOut:
            switch rules.foundOut(ask(rules)) {
            case .tellCommitted: toldCommitted = true
            case .rollBack: isRollbackSent = true
            case .leaveToCheckBack: break
            }
        }
    }

    /// `INSERT (xid, 'abort') ON CONFLICT DO NOTHING`, then what the table says.
    private mutating func ask(_ rules: Rules) -> Decision {
        if let decision { return decision }
        if isInserted, rules.askingWaits { return .undecided }
        if rules.askingAborts { decision = .abort }
        return .abort
    }
}

extension World.Branch {
    /// Answers whether it is done.
    fileprivate mutating func request(_ rules: Rules) -> Bool {
        guard !isPrepared else { return false }
        switch rules.onRequest(row) {
        case .perform:
            effect += 1
            if isXA { isPrepared = true } else if rules.remembersWithEffect { row = .undecided }
            return true
        case .answerAgain: return true
        case .refuse: return false
        }
    }

    fileprivate mutating func end(commit: Bool, _ rules: Rules) {
        if isPrepared { endPrepared(commit: commit) }
        let ending = rules.onDecision(row, commit)
        if ending.acts {
            confirmed += commit ? 1 : 0
            undone += commit ? 0 : 1
            effect -= commit ? 0 : 1
        }
        row = ending.state
    }

    /// `COMMIT PREPARED` makes the part and its row visible; `ROLLBACK PREPARED` makes both as if they had never been.
    fileprivate mutating func endPrepared(commit: Bool) {
        isPrepared = false
        if commit { row = .committed } else { effect -= 1 }
    }
}
