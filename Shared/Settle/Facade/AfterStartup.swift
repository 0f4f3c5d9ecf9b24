package import ServiceLifecycle

/// A service that begins when a startup step is done, so that it never meets tables that are not there yet.
package struct AfterStartup: Service {
    private let step: StartupStep
    private let service: any Service

    package init(step: StartupStep, service: any Service) {
        self.step = step
        self.service = service
    }

    package func run() async throws {
        let isDone = await cancelWhenGracefulShutdown { await step.waitUntilDone() }
        // A service that returns ends the group; after a shutdown that is as it should be.
        if isDone { try await service.run() }
    }
}
