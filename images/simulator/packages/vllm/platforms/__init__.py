"""SIMULATED ``vllm.platforms``: no platform registers itself where there is no device."""


class Platform:
    device_type = ""

    @classmethod
    def pre_register_and_update(cls, parser=None) -> None:
        pass

    @classmethod
    def check_and_update_config(cls, vllm_config) -> None:
        pass


class UnspecifiedPlatform(Platform):
    pass


_current_platform = None


def get_current_platform() -> Platform:
    return _current_platform or UnspecifiedPlatform()
