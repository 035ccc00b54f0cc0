"""Dagster's own sensor for conditions, which requests the model of kudos and its predictions.

Belongs here: the sensor and what it looks at. Not here: the conditions, which are part of the assets
(`assets/kudos_model.py`).
"""

import dagster as dg

from engagement_assets.assets.kudos_model import KUDOS_ASSETS
from engagement_assets.orchestration.sensors.runs import sensor_status
from engagement_assets.settings import Settings

KUDOS_MODEL = "kudos_model"


def kudos_model_sensor(settings: Settings) -> dg.AutomationConditionSensorDefinition:
    """Requests training when a complete week has arrived, and predictions when there are new activities or a model."""
    return dg.AutomationConditionSensorDefinition(
        name=KUDOS_MODEL,
        target=dg.AssetSelection.assets(*KUDOS_ASSETS),
        default_status=sensor_status(settings),
        description=(
            "Requests the model of kudos after the first publication of Strava's tables of a week, and its predictions "
            "after each publication and each new version."
        ),
    )
