"""gunicorn's settings of the simulated bank: it logs as the product's processes do."""

import logs

logs.take_over()
logger_class = logs.gunicorn_logger()
