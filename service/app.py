"""The application: every room joined, in one place. Decides nothing about money."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from service import openapi, operations
from service.access import routes as access_routes
from service.access.guard import Doorkeeper
from service.access.staff import SignIn
from service.database import create_engine
from service.fees import payment_routes
from service.intake import routes as intake_routes
from service.intake.door import CallbackDoor
from service.intake.intake import Intake
from service.migrations import run
from service.observe.requests import observe
from service.outbound import Outbound
from service.outbox import routes as outbox_routes
from service.problems import EXCEPTION_HANDLERS
from service.reconciliation import routes as reconciliation_routes
from service.refunds import routes as refund_routes
from service.remittance import routes as remittance_routes
from service.reports import ledger_routes, unmatched_routes
from service.sealing import Sealer
from service.settings import Settings, master_key
from service.settlements import routes as settlement_routes
from service.statements import routes as statement_routes
from service.web import problem_pages
from service.web.background import Background
from service.web.queries import refuse_unknown
from service.worker import Worker, errands

ROUTES: Final[tuple[BaseRouteHandler, ...]] = (
    *access_routes.ROUTES,
    *payment_routes.ROUTES,
    *intake_routes.ROUTES,
    *statement_routes.ROUTES,
    *settlement_routes.ROUTES,
    *reconciliation_routes.ROUTES,
    *refund_routes.ROUTES,
    *remittance_routes.ROUTES,
    *unmatched_routes.ROUTES,
    *outbox_routes.ROUTES,
    *ledger_routes.ROUTES,
    *problem_pages.ROUTES,
    *operations.ROUTES,
    *openapi.ROUTES,
)
"""Each room exports its own; a route that names nothing in `opt` is closed to everybody."""


def create_app(settings: Settings) -> Litestar:
    """The application for these settings; opens nothing before it is started."""
    doorkeeper = Doorkeeper()
    app = Litestar(
        ROUTES,
        state=State({"settings": settings, "doorkeeper": doorkeeper}),
        lifespan=[resources],
        guards=[doorkeeper.authorize],
        before_request=refuse_unknown,
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=openapi.CONFIG,
        request_max_body_size=settings.body_size_max_bytes,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    app.asgi_handler = CallbackDoor(app.asgi_handler, app.state)
    observe(app)
    return app


@asynccontextmanager
async def resources(app: Litestar) -> AsyncIterator[None]:
    """The pool, the keys and the open group, for as long as the application lives."""
    settings: Settings = app.state.settings
    engine = create_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        pool_timeout_s=settings.pool_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
        lock_timeout_s=settings.lock_timeout_s,
    )
    sealer = Sealer(master_key(settings))
    intake = Intake(engine, sealer, settings.weak_limit_vnd)
    app.state.engine = engine
    app.state.sealer = sealer
    app.state.sign_in = SignIn()
    app.state.revision = run.head()
    app.state.intake = intake
    outbound = app.state.outbound = Outbound()
    intake.start()
    worker = Worker(
        engine,
        sealer,
        errands=errands(settings, engine, intake, outbound),
        weak_limit_vnd=settings.weak_limit_vnd,
        outbound=outbound,
        remittance_rules=settings.remittance_rules,
    )
    background = app.state.background = Background()
    if settings.work_in_server:
        worker.start()
    try:
        yield
    finally:
        await worker.close()
        await background.stop()
        # The open group is finished before the pool goes: what was taken is answered.
        await intake.close()
        await outbound.aclose()
        await engine.dispose()
