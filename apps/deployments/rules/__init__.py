"""Pure answers about deployments: who may, what next, what a check has shown, whether there is a way back."""
